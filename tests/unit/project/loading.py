"""Small projects on disk, loaded the way a command loads them."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from composer.errors import Diagnostic, ProjectError
from composer.project import LoadOptions, load
from composer.project.loader import Loaded
from composer.project.model import Project, Service


def write(directory: Path, files: Mapping[str, str]) -> None:
    """Put texts into files, their common indentation removed."""
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))


def load_in(directory: Path, environment: Mapping[str, str] | None = None, **options: Any) -> Loaded:
    """The project of a directory."""
    return load(LoadOptions(directory=directory, **options), environment or {})


def project(directory: Path, text: str, environment: Mapping[str, str] | None = None) -> Project:
    """The project that one compose.yaml makes."""
    write(directory, {"compose.yaml": text})
    return load_in(directory, environment).project


def with_web(attributes: str, services: str = "", rest: str = "") -> str:
    """A file with a service `web` on image `i` that has more attributes, with more services, and more sections."""
    web = textwrap.indent(textwrap.dedent(attributes), "    ")
    others = textwrap.indent(textwrap.dedent(services), "  ")
    return f"services:\n  web:\n    image: i\n{web}\n{others}\n{textwrap.dedent(rest)}"


def service(
    directory: Path, attributes: str, environment: Mapping[str, str] | None = None, services: str = "", rest: str = ""
) -> Service:
    """The service `web` of such a file."""
    return project(directory, with_web(attributes, services, rest), environment).services["web"]


def problems(directory: Path, text: str, environment: Mapping[str, str] | None = None) -> list[Diagnostic]:
    """What is wrong with a compose.yaml, or stands against bringing it up."""
    write(directory, {"compose.yaml": text})
    try:
        found = load_in(directory, environment).obstacles
    except ProjectError as error:
        found = tuple(error.diagnostics)
    assert found, "nothing is wrong with it"
    return list(found)


def problem(directory: Path, attributes: str, services: str = "", rest: str = "") -> Diagnostic:
    """The only thing wrong with such a file."""
    found = problems(directory, with_web(attributes, services, rest))
    assert len(found) == 1, found
    return found[0]


def marked(diagnostic: Diagnostic) -> str:
    """The piece of the source that the caret is under."""
    place = diagnostic.location
    assert place is not None
    return place.source[place.column - 1 : place.column - 1 + place.length]
