"""`compose scale`: have so many replicas of services, whatever the file says."""

from __future__ import annotations

from typing import Annotated

import typer

from composer.api.messages import UpOptions, UpRequest
from composer.cli.app import command_app
from composer.cli.follow import carry_out
from composer.cli.locking import Locked, locked_content
from composer.cli.options import DryRun, scale_of
from composer.cli.session import Session

app = command_app()


@app.command()
def scale(
    ctx: typer.Context,
    replicas: Annotated[list[str], typer.Argument(metavar="SERVICE=NUMBER...", show_default=False)],
    no_deps: Annotated[bool, typer.Option("--no-deps", help="Do not start what services depend on")] = False,
    locked: Locked = False,
    dry_run: DryRun = False,
) -> int:
    """Set how many containers services have, until the next `up`."""
    session: Session = ctx.obj
    numbers = scale_of(replicas, option="")
    named = session.check_services(list(numbers))
    options = UpOptions(services=named, scale=numbers, no_deps=no_deps, dry_run=dry_run)
    lock = locked_content(session, locked=locked)
    request = UpRequest(session.wire_project, session.loaded.origins.to_wire(), options, session.surroundings, lock)
    carry_out(session.progress, session.client.up(session.name, request), dry_run=dry_run)
    return 0
