"""Reading `compose.lock`: a file that people merge, and that may have been written by a newer composer or by nobody good.

Whatever is wrong with it is told with its line, all of it at once; nothing of a file with a problem is used.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from composer.errors import Diagnostic, HostError, Location, ProjectError, Severity
from composer.lock.model import Lock
from composer.lock.places import Places
from composer.lock.tables import AGAIN, lock_in

LARGEST = 32 * 1024 * 1024
_CONFLICT = re.compile(r"^(<{7}|={7}|>{7}|\|{7})( |$)", re.MULTILINE)
_PACKAGES = "\n[packages."
_OTHERS = re.compile(r"^\[(image|download|git)\b", re.MULTILINE)
_AT = re.compile(r"\(at (?:line (\d+), column (\d+)|end of document)\)")


def read(path: Path, *, packages: bool = True) -> Lock | None:
    """The lock at `path`, None where there is none; without `packages` their part is not even parsed.

    Raises:
        ProjectError: the file is damaged; a diagnostic for each problem.
        HostError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise HostError(f"cannot read `{path}`: {(error.strerror or 'error').lower()}") from error
    return parse_lock(data, str(path), packages=packages)


def parse_lock(data: bytes, name: str, *, packages: bool = True) -> Lock:
    """The lock in `data`, which messages call `name`. Raises ProjectError with a diagnostic for each problem."""
    if len(data) > LARGEST:
        raise ProjectError([Diagnostic(Severity.ERROR, f"cannot read `{name}`: it is larger than {LARGEST} bytes")])
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ProjectError(
            [Diagnostic(Severity.ERROR, "cannot read the lock: it is not UTF-8", Location(name, line, 1), hint=AGAIN)]
        ) from error
    whole = text.replace("\r\n", "\n")
    cut = -1 if packages else whole.find(_PACKAGES)
    if cut >= 0 and not _OTHERS.search(whole, cut + 1):
        whole = whole[: cut + 1]
    document = _document(whole, name)
    return lock_in(document, Places(whole, name))


def _document(text: str, name: str) -> Mapping[str, Any]:
    if conflict := _CONFLICT.search(text):
        line = text.count("\n", 0, conflict.start()) + 1
        source = text.splitlines()[line - 1]
        raise ProjectError(
            [
                Diagnostic(
                    Severity.ERROR,
                    "cannot use the lock: a merge has left a conflict in it",
                    Location(name, line, 1, len(source), source),
                    hint=f"take either side, for instance `git checkout --ours {Path(name).name}`, then run `compose lock`",
                )
            ]
        )
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        said = str(error) if isinstance(error, tomllib.TOMLDecodeError) else "it is nested too deep"
        at = _AT.search(said)
        lines = text.splitlines() or [""]
        number = min(int(at[1]), len(lines)) if at and at[1] else len(lines)
        column = int(at[2]) if at and at[2] else 1
        place = Location(name, number, column, 1, lines[number - 1])
        why = _AT.sub("", said).strip().lower()
        raise ProjectError([Diagnostic(Severity.ERROR, f"cannot read the lock: {why}", place, hint=AGAIN)]) from error
