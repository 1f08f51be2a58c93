from composer.project.circles import circles


def told(edges: dict[str, list[str]]) -> list[str]:
    return [str(circle) for circle in circles({name: [(other, None) for other in to] for name, to in edges.items()})]


def test_each_circle_is_told_once() -> None:
    assert told({"a": ["b", "c"], "b": ["a"], "c": ["c", "a"], "d": ["a"]}) == [
        "`a` → `b` → `a`",
        "`c` → `c`",
        "`a` → `c` → `a`",
    ]


def test_a_way_that_forks_and_meets_again_is_none() -> None:
    assert told({"a": ["b", "c"], "b": ["d"], "c": ["d"], "d": ["nobody"]}) == []


def test_a_long_chain_is_followed_to_its_end() -> None:
    edges = {str(n): [str(n + 1)] for n in range(5000)} | {"5000": ["4999"]}

    assert told(edges) == ["`4999` → `5000` → `4999`"]
