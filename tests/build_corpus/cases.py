"""The whole corpus."""

from tests.build_corpus import (
    cases_add,
    cases_compose,
    cases_config,
    cases_copy,
    cases_errors,
    cases_ignore,
    cases_run,
    cases_stages,
    cases_variables,
)
from tests.build_corpus.case import Case

SUBJECTS: dict[str, tuple[Case, ...]] = {
    "stages": cases_stages.CASES,
    "variables": cases_variables.CASES,
    "config": cases_config.CASES,
    "run": cases_run.CASES,
    "copy": cases_copy.CASES,
    "add": cases_add.CASES,
    "ignore": cases_ignore.CASES,
    "compose": cases_compose.CASES,
    "errors": cases_errors.CASES,
}

CASES: tuple[Case, ...] = tuple(case for cases in SUBJECTS.values() for case in cases)
