"""`compose lock`: write down what every image, download and repository means now, so that all run the same."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from composer.cli.app import command_app
from composer.cli.options import DryRun
from composer.cli.render.answer import say
from composer.cli.session import Session, no_such_service
from composer.errors import ProjectError, UsageError

if TYPE_CHECKING:
    from composer.lock.model import Lock
    from composer.lock.uses import Uses

app = command_app()


@app.command()
def lock(
    ctx: typer.Context,
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[SERVICE]...", show_default=False, help="With --update: only these; --diff: a revision"
        ),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Only say what differs between the lock and the files; exit with 1 then")
    ] = False,
    update: Annotated[
        bool, typer.Option("--update", help="Ask registries anew about what is locked already: all, or some services'")
    ] = False,
    diff: Annotated[
        bool,
        typer.Option("--diff", help="Tell what the lock has otherwise than a revision of git, HEAD if none is named"),
    ] = False,
    packages: Annotated[
        bool | None,
        typer.Option("--packages/--no-packages", help="Record the packages in the images; goes on once begun"),
    ] = None,
    dry_run: DryRun = False,
) -> int:
    """Write compose.lock: exact digests for everything that the project gets from elsewhere."""
    from composer.cli.render.errors import show_diagnostics
    from composer.lock.file import lock_path

    session: Session = ctx.obj
    if sum((check, update, diff)) > 1 or (check and packages is not None):
        raise UsageError("`--check`, `--update` and `--diff` cannot be combined, nor `--check` with `--packages`")
    if names and not (update or diff):
        raise UsageError(
            "services can only be named with `--update`", hint="`compose lock` locks those of all services"
        )
    path = lock_path(session.project)
    if diff:
        return _diff(session, path, names or [])
    uses = _uses(session, path)
    if check:
        return _check(session, path, uses)
    show_diagnostics(session.err, uses.warnings)
    for name in names or ():
        if name not in (known := {**session.project.services, **session.project.disabled}):
            raise no_such_service(name, known)
    return _write(session, path, uses, update=update, services=names or [], packages=packages, dry_run=dry_run)


def _uses(session: Session, path: Path) -> Uses:
    from composer.lock.gather import uses_of

    return uses_of(session.project, session.loaded.origins, path.parent)


def _check(session: Session, path: Path, uses: Uses) -> int:
    from composer.cli.render.errors import show_diagnostics
    from composer.lock.compare import compare
    from composer.lock.reading import read

    try:
        lock = read(path)
    except ProjectError as error:
        error.exit_code = 1  # a lock that is damaged differs, too
        raise
    if lock is None:
        raise UsageError(f"there is no `{path.name}` in {path.parent}", hint="`compose lock` makes one")
    differences = compare(lock, uses, path.read_text(), path)
    show_diagnostics(session.err, [each.diagnostic() for each in differences])
    if not differences:
        say(f"{path.name} is up to date")
    return 1 if differences else 0


def _diff(session: Session, path: Path, revisions: list[str]) -> int:
    from composer.cli.render.lock import changelog
    from composer.lock.changes import changes
    from composer.lock.history import lock_at
    from composer.lock.model import Lock
    from composer.lock.reading import read

    if len(revisions) > 1:
        raise UsageError("`--diff` compares with one revision")
    before = lock_at(path, revisions[0] if revisions else "HEAD")
    session.out.write(changelog(session.out, changes(before, read(path) or Lock())))
    return 0


def _write(
    session: Session,
    path: Path,
    uses: Uses,
    *,
    update: bool,
    services: list[str],
    packages: bool | None,
    dry_run: bool,
) -> int:
    from composer.cli.render.lock import changelog
    from composer.lock.changes import changes
    from composer.lock.writing import save, write

    before = _before(path, anew=update and not services)
    after = _asked(session, before, uses, update=update, services=services)
    if not dry_run:  # images are not pulled only to say what would be written
        after = _with_packages(session, after, wanted=bool(before.packages) if packages is None else packages)
    text = write(after)
    unchanged = path.exists() and path.read_text(encoding="utf-8", errors="replace") == text
    session.progress.finish()
    session.out.write(changelog(session.out, changes(before, after)))
    if unchanged:
        say(f"{path.name} is up to date")
    elif not dry_run:
        save(text, path)
        say(f"wrote {path}")
    return 0


def _before(path: Path, *, anew: bool) -> Lock:
    """The lock so far; a damaged one is of no consequence where everything is asked for anew."""
    from composer.lock.model import Lock
    from composer.lock.reading import read

    try:
        return read(path) or Lock()
    except ProjectError:
        if not anew:
            raise
        return Lock()


def _asked(session: Session, before: Lock, uses: Uses, *, update: bool, services: list[str]) -> Lock:
    """The new lock, whatever it takes having been asked of registries."""
    import asyncio
    from datetime import UTC, datetime

    from composer.api.messages import Event
    from composer.cli.render.errors import show_diagnostics
    from composer.cli.render.unfinished import Unfinished
    from composer.cli.ticking import ticking
    from composer.clock import SystemClock
    from composer.lock.making import find_out
    from composer.lock.update import updated
    from composer.registry.access import Access

    access = Access.of(session.environment)
    unfinished = Unfinished()

    def tell(kind: str, name: str, what: str) -> None:
        event = Event(kind, name, what)
        unfinished.take(event)
        session.progress.event(event)

    project, origins = session.project, session.loaded.origins
    asking = find_out(project, origins, before, uses, access, SystemClock(), tell, update=update, services=services)
    try:
        total, found = asyncio.run(ticking(session.progress, asking))
    except KeyboardInterrupt:
        unfinished.break_off(session.progress)
        session.progress.finish()
        raise
    show_diagnostics(session.err, total.warnings[len(uses.warnings) :])
    return updated(before, total, found, datetime.now(UTC).replace(microsecond=0))


def _with_packages(session: Session, lock: Lock, *, wanted: bool) -> Lock:
    """The lock with the packages of its images, which are pulled where they are not here; without any if not wanted."""
    from dataclasses import replace

    from composer.api.messages import ImagesRequest
    from composer.cli.follow import follow
    from composer.lock.model import LockedPackages, exactly
    from composer.oci.digest import Digest

    if not wanted:
        return replace(lock, packages={})
    lacking = {exactly(name, image): name for name, image in lock.images.items() if name not in lock.packages}
    if not lacking:
        return lock
    request = ImagesRequest(tuple(lacking), surroundings=session.surroundings)
    follow(session.progress, session.client.pull_images(request))
    found = {
        lacking[each.reference]: LockedPackages(
            Digest.parse(each.manifest), each.platform, {key: dict(value) for key, value in each.packages.items()}
        )
        for each in session.client.image_software(list(lacking))
    }
    return replace(lock, packages={**lock.packages, **found})
