"""The interpolation forms of the Compose Specification, chapter 12, as a table."""

from __future__ import annotations

import pytest

from composer.project.interpolate import TemplateError, substitute

VARIABLES = {"FOO": "first", "EMPTY": "", "lower_1": "low", "DOLLAR": "a$b"}

TABLE = [
    ("no variables", "no variables"),
    ("$FOO", "first"),
    ("${FOO}", "first"),
    ("This ${FOO} var", "This first var"),
    ("$FOO-bar", "first-bar"),
    ("$FOO.bar", "first.bar"),
    ("${FOO}bar$lower_1", "firstbarlow"),
    ("${EMPTY}", ""),
    ("${UNSET}", ""),
    ("$UNSET.", "."),
    # escapes
    ("$$FOO", "$FOO"),
    ("$${FOO}", "${FOO}"),
    ("$$$FOO", "$first"),
    ("$$$$", "$$"),
    ("100$$", "100$"),
    # a dollar sign that nothing can follow from
    ("$", "$"),
    ("a $ b$", "a $ b$"),
    ("$}", "$}"),
    ("$1 $(date) $-", "$1 $(date) $-"),
    ("$$$", "$$"),
    ("$2y$10$FOO", "$2y$10first"),
    ("${UNSET:-^a$}", "^a$"),
    # defaults
    ("${UNSET:-d}", "d"),
    ("${UNSET-d}", "d"),
    ("${EMPTY:-d}", "d"),
    ("${EMPTY-d}", ""),
    ("${FOO:-d}", "first"),
    ("${UNSET:-}", ""),
    ("${UNSET:-/non:-alphanumeric}", "/non:-alphanumeric"),
    ("${UNSET-va?lu+e}", "va?lu+e"),
    ("${UNSET:-a b}", "a b"),
    ("${UNSET:-:80}", ":80"),
    ("${UNSET:-$$x}", "$x"),
    # alternatives
    ("${FOO:+a}", "a"),
    ("${FOO+a}", "a"),
    ("${EMPTY:+a}", ""),
    ("${EMPTY+a}", "a"),
    ("${UNSET+a}", ""),
    ("${FOO:+va:?lu:-e}", "va:?lu:-e"),
    # demands that are met
    ("${FOO:?e}", "first"),
    ("${FOO?e}", "first"),
    ("${EMPTY?e}", ""),
    # nesting
    ("${UNSET-$FOO}", "first"),
    ("${UNSET:-${FOO}}", "first"),
    ("${UNSET:-${FOO} ${FOO}}", "first first"),
    ("${UNSET:-${ALSO_UNSET:-${FOO}}}!", "first!"),
    ("${UNSET:-${FOO:+yes}}", "yes"),
    # values are not looked into
    ("${DOLLAR}", "a$b"),
]


@pytest.mark.parametrize(("template", "expected"), TABLE)
def test_a_template_becomes_what_the_specification_says(template: str, expected: str) -> None:
    assert substitute(template, VARIABLES.get) == expected


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("${UNSET:?Mandatory Variable Unset}", "the variable `UNSET` must be set: Mandatory Variable Unset"),
        ("${EMPTY:?it is empty}", "the variable `EMPTY` must be set: it is empty"),
        ("${UNSET?because of $FOO}", "the variable `UNSET` must be set: because of first"),
        ("${UNSET:?}", "the variable `UNSET` must be set"),
        ("${UNSET?bar-baz}", "the variable `UNSET` must be set: bar-baz"),
    ],
)
def test_a_demand_that_is_not_met_says_what_was_demanded(template: str, said: str) -> None:
    with pytest.raises(TemplateError) as caught:
        substitute(template, VARIABLES.get)
    assert caught.value.message == said


@pytest.mark.parametrize(
    "template",
    ["${", "${}", "${ }", "${ FOO}", "${FOO }", "${FOO!}", "${1A}", "${FOO", "${A:-${B}"],
)
def test_a_malformed_template_is_refused(template: str) -> None:
    with pytest.raises(TemplateError):
        substitute(template, VARIABLES.get)


def test_what_is_not_used_is_not_looked_at() -> None:
    asked: list[str] = []

    def lookup(name: str) -> str | None:
        asked.append(name)
        return VARIABLES.get(name)

    missing: list[str] = []

    assert substitute("${FOO:-$UNSET} ${EMPTY:+${UNSET:?no}}", lookup, missing.append) == "first "
    assert asked == ["FOO", "EMPTY"]
    assert missing == []


def test_only_what_nothing_stands_in_for_is_missing() -> None:
    missing: list[str] = []

    substitute("$A ${B} ${C:-} ${D-x} ${E+y} ${F:-$G}", VARIABLES.get, missing.append)

    assert missing == ["A", "B", "G"]
