"""The syntax of variable files, as a table."""

from __future__ import annotations

import pytest

from composer.errors import ProjectError
from composer.project.dotenv import parse_dotenv, parse_raw

OUTER = {"OUT": "outer", "HOME": "/home/u"}

TABLE: list[tuple[str, dict[str, str]]] = [
    ("", {}),
    ("\n  \n# comment\n\t# more\n", {}),
    ("A=1", {"A": "1"}),
    ("A=1\nB=2\n", {"A": "1", "B": "2"}),
    ("A=1\r\nB=2\r\n", {"A": "1", "B": "2"}),
    ("\ufeffA=1", {"A": "1"}),
    ("A = 1 ", {"A": "1"}),
    ("A=", {"A": ""}),
    ("A=\nB=2", {"A": "", "B": "2"}),
    ("A: 1", {"A": "1"}),
    ("A: x=y", {"A": "x=y"}),
    ("A=1:B", {"A": "1:B"}),
    ("export A=1", {"A": "1"}),
    ("export\tA=1", {"A": "1"}),
    ("exportA=1", {"exportA": "1"}),
    ("export.A= 2", {"export.A": "2"}),
    ("A.B-C[0]=1", {"A.B-C[0]": "1"}),
    ("A=x=y=", {"A": "x=y="}),
    ("A=postgres://u:p@h:5432/d?sslmode=off", {"A": "postgres://u:p@h:5432/d?sslmode=off"}),
    # comments
    ("A=1 # one", {"A": "1"}),
    ("A=a#b", {"A": "a#b"}),
    ("A= # nothing", {"A": ""}),
    ('A="a # b" # c', {"A": "a # b"}),
    ("A='a # b' # c", {"A": "a # b"}),
    # quotes and escapes
    ('A="x"', {"A": "x"}),
    ("A='x'", {"A": "x"}),
    ('A="it\'s"', {"A": "it's"}),
    ('A="say \\"hi\\""', {"A": 'say "hi"'}),
    ("A='it\\'s'", {"A": "it's"}),
    ('A="a\\nb\\tc\\\\d"', {"A": "a\nb\tc\\d"}),
    ("A='a\\nb'", {"A": "a\\nb"}),
    ("A=a\\nb", {"A": "a\\nb"}),
    ('A="one\ntwo\n\nthree"\nB=2', {"A": "one\ntwo\n\nthree", "B": "2"}),
    ("A='one\ntwo'", {"A": "one\ntwo"}),
    ('A=""', {"A": ""}),
    ('A=x "y"', {"A": 'x "y"'}),
    # references
    ("A=1\nB=$A", {"A": "1", "B": "1"}),
    ("A=1\nB=${A}${OUT}", {"A": "1", "B": "1outer"}),
    ('A=1\nB="$A b"', {"A": "1", "B": "1 b"}),
    ("A=1\nB='$A'", {"A": "1", "B": "$A"}),
    ('B="\\$A"', {"B": "$A"}),
    ("B=$$A", {"B": "$A"}),
    ("B=${NONE:-d}", {"B": "d"}),
    ("B=$NONE", {"B": ""}),
    ("OUT=inner\nB=$OUT", {"OUT": "inner", "B": "outer"}),
    # taken over
    ("OUT", {"OUT": "outer"}),
    ("NONE", {}),
    ("OUT\nA=1", {"OUT": "outer", "A": "1"}),
    ("export OUT # why", {"OUT": "outer"}),
]


@pytest.mark.parametrize(("text", "expected"), TABLE)
def test_a_file_sets_these_variables(text: str, expected: dict[str, str]) -> None:
    assert parse_dotenv(text, ".env", OUTER.get) == expected


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("A=1\nB C=2", 2, "`=` is missing after the variable's name"),
        ("=x", 1, "a variable's name"),
        ("A=1\n\nlol$wut", 3, "`=` is missing after the variable's name"),
        ('A="x', 1, 'the quote " is never closed'),
        ("A=1\nB='x\ny", 2, "the quote ' is never closed"),
        ('A="x"y', 1, "only a comment may follow"),
        ("A=x\nB=${A", 2, "has no closing brace"),
        ("A=${NONE:?give it}", 1, "must be set: give it"),
    ],
)
def test_a_wrong_line_is_named(text: str, line: int, said: str) -> None:
    with pytest.raises(ProjectError) as caught:
        parse_dotenv(text, "some.env", OUTER.get)
    assert said in caught.value.message
    assert caught.value.location is not None
    assert (caught.value.location.file, caught.value.location.line) == ("some.env", line)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('PASSWORD="hunter2', "PASSWORD=…"),
        ("export PASSWORD='hunter2", "export PASSWORD=…"),
        ("PASSWORD=${hunter2", "PASSWORD=…"),
        ("KEY=-----BEGIN\nhunter2/bg", "…"),
        ("'A=hunter2", "…"),
        ('A="x\nhunter2="y', "…"),
    ],
)
def test_an_error_shows_a_line_without_the_value_because_that_may_be_a_secret(text: str, shown: str) -> None:
    with pytest.raises(ProjectError) as caught:
        parse_dotenv(text, ".env", OUTER.get)
    place = caught.value.location
    assert place is not None
    assert place.source == shown
    assert "hunter2" not in caught.value.message


def test_raw_lines_are_taken_as_they_are() -> None:
    text = "# c\nA='1' # no comment\nB=$A\\n\n\nOUT\nNONE\nC\n=x=\n  D=  2 "

    assert parse_raw(text, OUTER.get) == {"A": "'1' # no comment", "B": "$A\\n", "OUT": "outer", "": "x=", "D": "  2 "}
