"""Rules about variables and what is in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from composer.errors import ProjectError
from composer.project.document import Mapping, Scalar, walk
from composer.project.dotenv import parse_dotenv
from composer.project.lint.finding import Finding
from composer.project.merged import entries_of, items_of, services_of, text_of
from composer.project.reading import read_file
from composer.project.variables import named_in

if TYPE_CHECKING:
    from composer.project.loader import Loaded

_SECRET = re.compile(r"(^|_)(PASSWORD|PASSWD|PASSPHRASE|SECRET|SECRET_KEY|TOKEN|API_KEY|PRIVATE_KEY)$", re.IGNORECASE)
_NUMBER = re.compile(r"[-+]?[0-9][0-9_]*(\.[0-9]*)?")


def secret_in_plain(loaded: Loaded) -> Iterator[Finding]:
    """A password in `environment` is in the file, in its history, and shown by whoever shows the container."""
    for name, service in services_of(loaded.tree).items():
        for key, value in entries_of(service, "environment").items():
            written = isinstance(value, Scalar) and value.value not in (None, "") and not _is_filled(loaded, value)
            if written and _SECRET.search(key) and not key.upper().endswith("_FILE"):
                fix = f"`secrets:` with a file or a variable; many images read `{key}_FILE`; or at least `${{{key}:?}}`"
                yield Finding(f"services.{name}.environment: `{key}` holds its value in the file", value.mark, fix)


def _is_filled(loaded: Loaded, value: Scalar) -> bool:
    return value.mark in loaded.trace.templates


def env_file_for_interpolation(loaded: Loaded) -> Iterator[Finding]:
    """`env_file` gives variables to the container, not to the file: `${NAME}` is filled in from the shell and `.env`."""
    used = loaded.project.environment_used
    for name, service in services_of(loaded.tree).items():
        given = {key for path in _env_files(service) for key in _names(path)}
        for mark in [mark for _, mark in walk(service) if mark in loaded.trace.templates] if given else ():
            for variable in named_in(loaded.trace.templates[mark]):
                if variable.name in given and variable.name not in used:
                    message = f"services.{name}: `${{{variable.name}}}` is not filled in from `env_file`"
                    fix = f"put `{variable.name}` into `.env`, or give `--env-file`"
                    yield Finding(message, mark, fix)


def _env_files(service: Mapping) -> list[str]:
    paths = [text_of(entry, "path") for entry in items_of(service, "env_file") if isinstance(entry, Mapping)]
    return [path for path in paths if path]


def _names(path: str) -> list[str]:
    try:
        text = read_file(Path(path)).decode("utf-8", "replace")
        return list(parse_dotenv(text, path, lambda _: ""))
    except (OSError, ProjectError):  # what is wrong with the file is told when it is loaded
        return []


def changed_by_yaml(loaded: Loaded) -> Iterator[Finding]:
    """`3.10` is the number 3.1 and `0644` is 420: where text is meant, YAML has changed it before anybody reads it."""
    for name, service in services_of(loaded.tree).items():
        build = service.get("build")
        for holder, where in ((service, "environment"), (service, "labels"), (build, "args")):
            for key, value in entries_of(holder, where).items() if isinstance(holder, Mapping) else ():
                if not isinstance(value, Scalar) or value.literal or not _NUMBER.fullmatch(value.text):
                    continue
                if str(value.value) != value.text:
                    message = f"services.{name}.{where}.{key}: `{value.text}` becomes `{value.value}`"
                    yield Finding(message, value.mark, f'put it in quotes: `"{value.text}"`')
