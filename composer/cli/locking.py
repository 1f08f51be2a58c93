"""The project's lock, as commands that run, build and pull use it."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from composer.cli.session import Session
from composer.errors import Diagnostic, ProjectError, Severity, UsageError
from composer.lock.file import lock_path

Locked = Annotated[
    bool, typer.Option("--locked", help="Fail where compose.lock lacks something, or is older than the files")
]


def locked_content(session: Session, *, locked: bool = False) -> dict[str, Any]:
    """What requests carry of the project's lock; empty where it has none. What is not locked is warned of.

    Raises:
        UsageError: `locked`, here or for all commands, and there is no lock.
        ProjectError: the lock is damaged, or `locked` and it does not have all that the project uses.
    """
    strict = locked or session.options.locked
    path = lock_path(session.project)
    if not path.exists():
        if strict:
            raise UsageError(
                f"cannot use `--locked`: there is no `{path.name}` in {path.parent}", hint="`compose lock`"
            )
        return {}
    from composer.lock.pins import pins_of
    from composer.lock.reading import read

    lock = read(path, packages=False)
    if lock is None:
        return {}
    problems = _problems(session, lock, strict=strict)
    if problems and strict:
        error = ProjectError(problems)
        error.exit_code = 1
        raise error
    if problems:
        from composer.cli.render.errors import show_diagnostics

        show_diagnostics(session.err, problems)
    return pins_of(lock, path, strict=strict).to_wire()


def _problems(session: Session, lock: Any, *, strict: bool) -> list[Diagnostic]:
    from composer.lock.compare import compare
    from composer.lock.gather import uses_to_run

    path = lock_path(session.project)
    uses = uses_to_run(session.project, session.loaded.origins, path.parent, dockerfiles=strict)
    severity = Severity.ERROR if strict else Severity.WARNING
    return [each.diagnostic(severity) for each in compare(lock, uses, "", path) if each.breaks]
