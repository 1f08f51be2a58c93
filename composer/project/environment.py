"""A service's environment: its `env_file`s in order, and `environment` over them.

A `KEY` without value is taken from the variables of the project, or left out. References in a file see what the files
before it said, then the project's variables, then what the file itself says above.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from composer.errors import ProjectError
from composer.project.discover import show
from composer.project.document import Mapping, Mark, Scalar
from composer.project.dotenv import parse_dotenv, parse_raw
from composer.project.interpolate import Lookup
from composer.project.merged import entries_of, items_of, text_of
from composer.project.reading import read_file, reason_of
from composer.project.report import Report


@dataclass(frozen=True, slots=True)
class VariableFiles:
    """Where the files of variables are that services name."""

    directory: Path
    """What relative paths start from."""
    shown_from: Path
    """Files below it are named relative to it in messages."""
    report: Report


def service_environment(name: str, service: Mapping, lookup: Lookup, files: VariableFiles) -> dict[str, str]:
    """The variables of the service's containers; what is wrong with a file is reported where it is named."""
    own = pairs(service, "environment")

    environment: dict[str, str] = {}

    def resolve(key: str) -> str | None:
        return environment[key] if key in environment else lookup(key)

    for index, entry in enumerate(items_of(service, "env_file")):
        if isinstance(entry, Mapping):
            where = f"services.{name}.env_file[{index}]"
            environment |= _file(entry, where, resolve, files)
    for key, value in own.items():
        given = lookup(key) if value is None else value
        if given is not None:
            environment[key] = given
        else:
            environment.pop(key, None)
    return environment


def service_labels(name: str, service: Mapping, files: VariableFiles) -> dict[str, str]:
    """The labels of the service's `label_file`s; a reference in one sees what the ones before it say."""
    labels: dict[str, str] = {}
    for index, item in enumerate(items_of(service, "label_file")):
        if isinstance(item, Scalar):
            entry = Mapping({"path": item}, item.mark)
            labels |= _file(entry, f"services.{name}.label_file[{index}]", labels.get, files)
    return labels


def pairs(node: Mapping, key: str) -> dict[str, str | None]:
    """A canonical `Pairs` attribute as plain data."""
    found = entries_of(node, key)
    return {
        name: None if value.value is None else str(value.value)
        for name, value in found.items()
        if isinstance(value, Scalar)
    }


def _file(entry: Mapping, where: str, resolve: Lookup, files: VariableFiles) -> dict[str, str]:
    named = text_of(entry, "path")
    if named is None:
        return {}
    path, report = files.directory / named, files.report
    shown = show(path, files.shown_from)
    mark: Mark = entry.entries["path"].mark
    required = entry.get("required")
    try:
        text = read_file(path).decode("utf-8-sig")
    except FileNotFoundError:
        if not isinstance(required, Scalar) or required.value is not False:
            hint = f"create `{shown}`, or say `required: false`"
            report.error(f"{where}: there is no file `{path}`", mark, hint=hint)
        return {}
    except (OSError, UnicodeDecodeError) as error:
        reason = reason_of(error) if isinstance(error, OSError) else "it is not UTF-8"
        report.error(f"{where}: cannot read `{path}`: {reason}", mark)
        return {}
    if text_of(entry, "format") == "raw":
        return parse_raw(text, resolve)
    try:
        return parse_dotenv(text, shown, resolve, lambda warning: report.take([warning], mark.text.order))
    except ProjectError as error:
        report.pass_on(error.diagnostics, mark, where)
        return {}
