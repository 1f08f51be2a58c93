"""The contents of a project's secrets and configs, as they are when it is brought up.

A file's content is read again at each start of a container; here only its digest is taken, which makes a change of the
content a change of the container. The value of a variable comes with the request and is kept where the container is.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

from composer.errors import Diagnostic, ProjectError, Severity
from composer.project.facts import facts_of
from composer.project.model import File, Project, Service
from composer.project.templates import place_of, render, template_of

LARGEST = 1 << 20
"""Bytes of a secret or config at most; Docker's limit is half of it."""


@dataclass(frozen=True, slots=True)
class Content:
    """What a secret or config holds; `text` is never shown."""

    digest: str
    path: str = ""
    text: str = ""
    facts: str = ""
    """JSON for a template: `text` is then what it is rendered from."""

    @staticmethod
    def name_of(kind: str, key: str, service: str) -> str:
        """By which name a mapping of contents has it; a template renders to something else for each service."""
        return f"{kind}/{key}/{service}"


def read_contents(project: Project, services: Iterable[Service]) -> dict[str, Content]:
    """The contents that `services` are granted, by `Content.name_of`.

    Raises:
        ProjectError: files that are missing or too large, variables that are not set, external ones; all of them.
    """
    found: dict[str, Content] = {}
    problems: list[Diagnostic] = []
    for service in services:
        for kind, grants, files in (
            ("secret", service.secrets, project.secrets),
            ("config", service.configs, project.configs),
        ):
            for grant in grants:
                name = Content.name_of(kind, grant.source, service.name)
                try:
                    found[name] = _content(kind, files[grant.source], project, service)
                except ProjectError as error:
                    found[name] = Content("")
                    place = (f"{kind}s", grant.source, "environment" if files[grant.source].environment else "file")
                    problems += [replace(each, attribute=place) for each in error.diagnostics]
    if problems:
        raise ProjectError(problems)
    return found


def read(path: str, what: str) -> bytes:
    """The content of a file that is granted. Raises ProjectError: it cannot be read, or is too large."""
    try:
        if not Path(path).is_file():
            reason = "it is no file" if Path(path).exists() else "there is no such file"
            raise _problem(f"cannot read {what} from `{path}`: {reason}", "create the file, or correct its path")
        content = Path(path).read_bytes()
    except OSError as error:
        raise _problem(f"cannot read {what} from `{path}`: {(error.strerror or 'error').lower()}") from error
    if len(content) > LARGEST:
        raise _problem(f"{what} is too large: {len(content)} bytes, at most {LARGEST} are", "mount it as a volume")
    return content


def _content(kind: str, file: File, project: Project, service: Service) -> Content:
    what = f"{kind} `{file.key}`"
    if file.external:
        hint = f"give {kind} `{file.key}` a `file` or `environment`: nothing keeps external ones here"
        raise _problem(f"{what} is external, and there is no such place here", hint)
    if file.template_driver:
        return _template(kind, file, project, service)
    if file.file is not None:
        return Content(_digest(read(file.file, what)), path=file.file)
    if file.environment is not None:
        value = project.environment_used.get(file.environment)
        if value is None:
            raise _problem(f"{what} has no value: the variable `{file.environment}` is not set", "set it and try again")
        return Content(_digest(value.encode("utf-8", "surrogateescape")), text=value)
    text = file.content or ""
    return Content(_digest(text.encode()), text=text)


def _template(kind: str, file: File, project: Project, service: Service) -> Content:
    """A template; rendered now, with stand-ins for addresses, to tell mistakes early and changes at all."""
    what = f"{kind} `{file.key}`"
    if file.template_driver != "jinja2":
        raise _problem(f"{what}: there is no template driver `{file.template_driver}` here", "`jinja2` is one")
    template = template_of(file, read(file.file, what) if file.file else b"")
    facts = facts_of(project, service)
    rendered = render(template, place_of(kind, file), facts)
    return Content(_digest(rendered.encode()), text=template, facts=json.dumps(facts))


def _digest(content: bytes) -> str:
    return sha256(content).hexdigest()


def _problem(message: str, hint: str = "") -> ProjectError:
    return ProjectError([Diagnostic(Severity.ERROR, message, hint=hint)])
