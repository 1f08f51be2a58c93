from dataclasses import replace

from composer.build.why import Making, cause

NOW = Making("below", "definition", {"a": "1", "b": "2"}, ("stage",))


def test_the_nearest_cause_is_told() -> None:
    assert cause(None, NOW) == "it was not built here before"
    assert cause(replace(NOW, definition="other", files={}), NOW) == "the instruction changed"
    assert cause(replace(NOW, below="other"), NOW) == "a step before it changed"
    assert cause(replace(NOW, stages=("other",)), NOW) == "what it takes from elsewhere changed"
    assert cause(NOW, NOW) == "what it made is not in the cache any more"
    assert cause(NOW, NOW, asked=True) == "the cache is not to be used"


def test_files_are_named_and_many_are_counted() -> None:
    before = replace(NOW, files={"a": "0", "c": "3"})
    many = replace(NOW, files={str(number): "" for number in range(5)})

    assert cause(before, NOW) == "`a` changed, `b` is new, `c` is gone"
    assert cause(replace(NOW, files={}), many) == "`0`, `1`, `2` and 2 more are new"


def test_what_is_stored_comes_back_and_damage_is_nothing() -> None:
    odd = replace(NOW, files={"caf\udce9": "1"})

    assert Making.unpacked(odd.packed()) == odd
    assert Making.unpacked(b"damaged") is None
