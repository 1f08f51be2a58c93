"""`compose down`: take a project away, with or without its file."""

from __future__ import annotations

from typing import Annotated

import typer

from composer.api.messages import DownRequest
from composer.cli.app import command_app
from composer.cli.follow import carry_out
from composer.cli.options import DryRun, Services, Timeout
from composer.cli.session import Session
from composer.errors import UsageError

app = command_app()


@app.command()
def down(
    ctx: typer.Context,
    services: Services = None,
    volumes: Annotated[bool, typer.Option("--volumes", "-v", help="Also named and anonymous volumes")] = False,
    rmi: Annotated[
        str, typer.Option("--rmi", metavar="all|local", help="Also images: all, or those that no `image:` names")
    ] = "",
    remove_orphans: Annotated[bool, typer.Option("--remove-orphans", help="Also of services not in the file")] = False,
    timeout: Timeout = None,
    dry_run: DryRun = False,
) -> int:
    """Stop and remove containers and networks."""
    session: Session = ctx.obj
    if rmi not in ("", "all", "local"):
        raise UsageError(f"`--rmi {rmi}` names no images", hint="use one of all, local")
    request = DownRequest(
        project=None if session.recorded else session.wire_project,
        services=session.check_services(services),
        volumes=volumes,
        images=rmi,
        remove_orphans=remove_orphans,
        timeout=timeout,
        dry_run=dry_run,
    )
    result = carry_out(session.progress, session.client.down(session.name, request), dry_run=dry_run)
    if not dry_run and not result.changed:
        session.progress.notice(f"there was nothing to remove of project `{session.name}`")
        session.mention_neighbour(session.name)
    return 0
