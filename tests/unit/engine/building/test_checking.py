from pathlib import Path

import pytest

from composer.engine.building.checking import findings
from tests.unit.engine.building.making import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def found(bench: Bench, dockerfile: str) -> list[tuple[int, str, str]]:
    bench.write(Dockerfile=dockerfile)
    return [
        (each.line, each.severity, each.rule or each.message)
        for each in findings(*bench.errand(), bench.reader, bench.images)
    ]


def test_rules_and_what_would_stop_a_build_are_told_together(bench: Bench) -> None:
    assert found(bench, "FROM $NOEN AS Base\nRUN true\n") == [
        (1, "warning", "InvalidDefaultArgInFrom"),
        (1, "warning", "UndefinedArgInFrom"),
        (1, "warning", "StageNameCasing"),
        (1, "error", "base name (`$NOEN`) should not be blank"),
    ]


def test_a_file_that_cannot_be_read_is_told_as_errors(bench: Bench) -> None:
    assert found(bench, "FROM a\nCOPPY a b\n") == [(2, "error", "unknown instruction `COPPY`")]


def test_a_file_may_ask_for_warnings_to_be_errors(bench: Bench) -> None:
    assert found(bench, "# check=error=true\nFROM scratch\nCMD a\n") == [(3, "error", "JSONArgsRecommended")]


def test_foreign_frontends_and_names_of_no_rule_are_told(bench: Bench) -> None:
    assert found(bench, "# syntax=some/frontend\n# check=skip=JSONArgs\nFROM scratch\n") == [
        (1, "warning", "the frontend `some/frontend` is not used: the file is read as Dockerfile syntax 1"),
        (2, "warning", "there is no rule `JSONArgs`"),
    ]


def test_what_an_ignore_file_leaves_out_is_not_to_be_copied(bench: Bench) -> None:
    (bench.context / ".dockerignore").write_text("secret\n")

    assert found(bench, "FROM scratch\nCOPY secret /\n") == [(2, "warning", "CopyIgnoredFile")]
