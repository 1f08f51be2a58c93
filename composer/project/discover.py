"""Which files make up the project, where it is, what it is called, and with which variables it is read.

The rules are Docker Compose's: <https://docs.docker.com/reference/cli/docker/compose/#use--f-to-specify-the-name-and-path-of-one-or-more-compose-files>
and <https://docs.docker.com/compose/how-tos/environment-variables/envvars-precedence/>.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from composer.errors import Diagnostic, Location, ProjectError, Severity
from composer.project.dotenv import parse_dotenv
from composer.project.options import LoadOptions
from composer.project.reading import is_there, read_file, reason_of

NAMES = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
OVERRIDES = (
    "compose.override.yml",
    "compose.override.yaml",
    "docker-compose.override.yml",
    "docker-compose.override.yaml",
)


@dataclass(frozen=True, slots=True)
class Sources:
    """What there is to load."""

    files: tuple[Path | None, ...]
    """In merge order; `None` is standard input."""
    directory: Path
    """The project directory."""
    variables: Mapping[str, str]
    """For interpolation: the environment, and below it the `.env` files."""
    warnings: tuple[Diagnostic, ...] = ()
    files_of: Mapping[str, str] = field(default_factory=dict)
    """The `.env` file that set a variable, for those that the environment did not."""
    overruled: Mapping[str, str] = field(default_factory=dict)
    """The `.env` file that sets a variable in vain: the environment, or a file that goes before it, does so too."""


def discover(options: LoadOptions, environment: Mapping[str, str]) -> Sources:
    """The files, the directory and the variables that `options` and `environment` lead to.

    Raises:
        ProjectError: there is no Compose file, or a named `.env` file is missing or wrong.
    """
    warnings: list[Diagnostic] = []
    unset: list[Diagnostic] = []
    files_of: dict[str, str] = {}
    overruled: dict[str, str] = {}
    files = _named_files(options, environment, options.directory)
    are_named = bool(options.env_files or environment.get("COMPOSE_ENV_FILES"))
    read_in: Path | None = None
    if files is None:
        given = _absolute(options.project_directory, options.directory) if options.project_directory else None
        found = _find(given or options.directory, warnings)
        base = given or (found[0].parent if found else options.directory)
        # The `.env` there may hold COMPOSE_FILE; what else it says goes before the `.env` of the directory that leads to.
        environment, read_in = _variables(options, environment, base, files_of, overruled, unset), base
        files = _named_files(options, environment, options.directory if given else base)
        if files is not None:
            warnings = []
        elif found:
            files = found
        else:
            message = f"there is no Compose file in `{given or options.directory}` or above it"
            hint = "create `compose.yaml`, or name a file with `-f`"
            raise ProjectError([Diagnostic(Severity.ERROR, message, hint=hint)])
    directory = _project_directory(options, files)
    if read_in is None or (read_in != directory and not are_named):
        environment = _variables(options, environment, directory, files_of, overruled, unset)
    return Sources(files, directory, environment, (*warnings, *unset), files_of, overruled)


def _absolute(name: str, directory: Path) -> Path:
    return Path(_clean(directory / Path(name).expanduser()))


def _clean(path: Path) -> str:
    """The path without `.` and `..`, symbolic links left alone."""
    parts: list[str] = []
    for part in path.absolute().parts:
        if part == ".." and len(parts) > 1:
            parts.pop()
        elif part != "..":
            parts.append(part)
    return str(Path(*parts))


def _named_files(
    options: LoadOptions, environment: Mapping[str, str], directory: Path
) -> tuple[Path | None, ...] | None:
    names = list(options.files)
    if not names and (listed := environment.get("COMPOSE_FILE")):
        names = listed.split(environment.get("COMPOSE_PATH_SEPARATOR") or ":")
    if not names:
        return None
    return tuple(None if name == "-" else _absolute(name, directory) for name in names)


def _find(directory: Path, warnings: list[Diagnostic]) -> tuple[Path, ...]:
    """The file with one of the usual names, and the one that overrides it; nothing where there is none."""
    for candidate in (directory, *directory.parents):
        found = [candidate / name for name in NAMES if is_there(candidate / name)]
        if not found:
            continue
        overrides = [candidate / name for name in OVERRIDES if is_there(candidate / name)]
        for several in (found, overrides):
            if len(several) > 1:
                names = ", ".join(f"`{path.name}`" for path in several[1:])
                message = f"`{several[0].name}` is used, and not {names} beside it"
                warnings.append(Diagnostic(Severity.WARNING, message))
        return (found[0], *overrides[:1])
    return ()


def _project_directory(options: LoadOptions, files: tuple[Path | None, ...]) -> Path:
    if options.project_directory:
        return _absolute(options.project_directory, options.directory)
    return next((path.parent for path in files if path is not None), options.directory)


def _variables(
    options: LoadOptions,
    environment: Mapping[str, str],
    directory: Path,
    files_of: dict[str, str],
    overruled: dict[str, str],
    unset: list[Diagnostic],
) -> dict[str, str]:
    names = list(options.env_files)
    if not names and (listed := environment.get("COMPOSE_ENV_FILES")):
        names = [name.strip() for name in listed.split(",")]
    paths = [_absolute(name, options.directory) for name in names]
    if not paths and environment.get("COMPOSE_DISABLE_ENV_FILE", "").lower() not in ("1", "true"):
        default = directory / ".env"
        paths = [default] if is_there(default) else []
    variables: dict[str, str] = {}
    for path in paths:
        known = {**variables, **environment}
        name = show(path, options.directory)
        text = read_text(path, "the variables", named_by_user=bool(names))
        found = parse_dotenv(text, name, known.get, unset.append)
        overruled |= {key: files_of[key] for key in found.keys() & variables.keys() - environment.keys()}
        overruled |= {key: name for key in found.keys() & environment.keys() if files_of.get(key) != name}
        variables |= found
        files_of |= dict.fromkeys(found.keys() - environment.keys(), name)
    return {**variables, **environment}


def read_text(path: Path, what: str, *, named_by_user: bool = False) -> str:
    """The text of a file that `what` is to be read from.

    Raises:
        ProjectError: it is missing, cannot be read, or is not UTF-8.
    """
    try:
        return read_file(path, named_by_user=named_by_user).decode("utf-8-sig")
    except OSError as error:
        message = f"cannot read {what} from `{path}`: {reason_of(error)}"
        raise ProjectError([Diagnostic(Severity.ERROR, message)]) from error
    except UnicodeDecodeError as error:
        raise ProjectError(
            [Diagnostic(Severity.ERROR, f"cannot read {what} from `{path}`: it is not UTF-8")]
        ) from error


def show(path: Path, directory: Path) -> str:
    """The path as messages name it: relative if it lies below `directory`."""
    return str(path.relative_to(directory)) if path.is_relative_to(directory) else str(path)


def normalise_name(name: str) -> str:
    """`name` as a project may be called: lower case, digits, `-` and `_`, the first a letter or digit."""
    return re.sub(r"[^a-z0-9_-]", "", name.lower()).lstrip("_-")


def project_name(
    options: LoadOptions, sources: Sources, written: str | None = None, location: Location | None = None
) -> str:
    """The project's name: the flag, `COMPOSE_PROJECT_NAME`, `name:` in a file (`written` at `location`), or the directory's.

    Raises:
        ProjectError: the name given has characters that a project's cannot have, or nothing is left of it.
    """
    given = options.project_name or sources.variables.get("COMPOSE_PROJECT_NAME")
    name = given or (normalise_name(written) or written if written else "")
    name = name or normalise_name(sources.directory.name) or normalise_name(options.directory.name)
    if name and name == normalise_name(name):
        return name
    message = (
        f"`{name}` cannot be a project's name" if name else "the project has no name: its directory's has no letters"
    )
    rule = "only lower-case letters, digits, `-` and `_`, the first a letter or digit"
    proposal = normalise_name(name)
    hint = f"{rule}; did you mean `{proposal}`?" if proposal else f"name it with `-p` or `name:` ({rule})"
    place = location if written and not given else None
    raise ProjectError([Diagnostic(Severity.ERROR, message, place, hint=hint)])
