import time

import pytest

from composer.build.dockerfile.expand import ExpansionError, expand

ENV = {
    "V": "value",
    "EMPTY": "",
    "PATHS": "/usr/local/bin",
    "TAR": "foo.tar.gz",
    "STAR": "a*b",
    "TWO": "one two",
    "LINES": "ab\ncb",
}

CASES = [
    ("$V ${V} $V/x ${V}x", "value value value/x valuex"),
    ("$NONE|${NONE}|$EMPTY", "||"),
    ("a $ b $", "a $ b $"),
    (r"\$V \${V} a\ b", "$V ${V} a b"),
    ("'$V' \"$V\" '\"' \"'\"", "$V value \" '"),
    (r'"\$V \" \\ \x"', r'$V " \ \x'),
    ("${V:-d} ${NONE:-d} ${EMPTY:-d} ${EMPTY-d} ${NONE-d}", "value d d  d"),
    ("${V:+a}|${NONE:+a}|${EMPTY:+a}|${EMPTY+a}|${NONE+a}", "a|||a|"),
    ("${V:?no} ${V?no} ${EMPTY?no}", "value value "),
    ("${NONE:-${V}} ${NONE:-${X:-deep}} ${NONE:-'a}b'}", "value deep a}b"),
    ("${TAR#*.} ${TAR##*.} ${TAR%.*} ${TAR%%.*}", "tar.gz gz foo.tar foo"),
    ("${PATHS#/usr} ${PATHS##*/} ${PATHS%/*} ${PATHS%%/*}", "/local/bin bin /usr/local "),
    ("${TAR#x} ${TAR%x} ${TAR#} ${TAR#foo.tar.gz}|", "foo.tar.gz foo.tar.gz foo.tar.gz |"),
    ("${TAR#?} ${TAR%??}", "oo.tar.gz foo.tar."),
    (r"${STAR#a\*} ${STAR%\*b}", "b a"),
    ("${TAR/o/0} ${TAR//o/0} ${TAR/o/} ${TAR//?/x}", "f0o.tar.gz f00.tar.gz fo.tar.gz xxxxxxxxxx"),
    (r"${PATHS/\/usr/} ${PATHS//\//-}", "/local/bin -usr-local-bin"),
    ("${TAR/f*t/X} ${TAR/*/X} ${TAR//a*r/X}", "Xar.gz X foo.tX.gz"),
    ("${LINES//*/X}", "X\nX"),
    ("${LINES/a*c/X}", "ab\ncb"),
    ("$1 ${1} $@ $#", "   "),
    ("$Vx", ""),
    ("`$V`", "`value`"),
]


@pytest.mark.parametrize(("word", "expected"), CASES)
def test_words_expand_as_in_buildkit(word: str, expected: str) -> None:
    assert expand(word, ENV).text == expected


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("${V", "syntax error: missing '}'"),
        ("${", "syntax error: missing '}'"),
        ("${}", "syntax error: bad substitution"),
        ("${:x}", "syntax error: bad substitution"),
        ("${V:-a", "syntax error: missing '}'"),
        ("${V:=a}", "unsupported modifier (:=) in substitution"),
        ("${V^}", "unsupported modifier (^) in substitution"),
        ("'a", "unexpected end of statement while looking for matching single-quote"),
        ('"a', "unexpected end of statement while looking for matching double-quote"),
        ("${NONE:?}", "NONE: is not allowed to be unset"),
        ("${NONE?give it}", "NONE: give it"),
        ("${EMPTY:?}", "EMPTY: is not allowed to be empty"),
        ("${V/a}", "syntax error: missing '/' in ${}"),
        (r"${V#\a}", r"invalid pattern (\a) in substitution: invalid escape `\a`"),
    ],
)
def test_what_cannot_be_expanded_says_why(word: str, message: str) -> None:
    with pytest.raises(ExpansionError) as caught:
        expand(word, ENV)

    assert str(caught.value) == f"failed to process `{word}`: {message}"


def test_the_names_asked_for_are_told_apart() -> None:
    expanded = expand("$V ${NONE:-$OTHER} '$QUOTED'", ENV)

    assert (set(expanded.used), set(expanded.undefined)) == ({"V"}, {"NONE", "OTHER"})


def test_words_split_at_spaces_that_are_not_quoted() -> None:
    assert expand("a \"$TWO\" $TWO 'x y'z b\\ c", ENV).words == ("a", "one two", "one", "two", "x yz", "b c")


def test_another_escape_character() -> None:
    assert expand("`$V c:\\x", ENV, "`").text == "$V c:\\x"


def test_documents_keep_their_quotes() -> None:
    assert expand('it\'s "$V"', ENV, quotes=False).text == 'it\'s "value"'


@pytest.mark.parametrize(
    "word",
    ["${A:-" * 500 + "x" + "}" * 500, "$A" * 100_000, "${A//?/" + "y" * 1000 + "}"],
)
def test_expansion_is_bounded(word: str) -> None:
    with pytest.raises(ExpansionError):
        expand(word, {"A": "x" * 2000} if "$A" in word or "//" in word else {})


@pytest.mark.parametrize("pattern", ["*a" * 400 + "b", "?" * 400 + "b", "*" * 1000 + "b"])
def test_no_pattern_takes_long(pattern: str) -> None:
    started = time.process_time()
    for word in (f"${{A#{pattern}}}", f"${{A%%{pattern}}}", f"${{A//{pattern}/x}}"):
        expand(word, {"A": "a" * 20_000})

    assert time.process_time() - started < 5
