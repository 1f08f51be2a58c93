"""`compose kill`: send a signal to containers."""

from __future__ import annotations

from typing import Annotated

import typer

from composer.api.messages import ServicesRequest
from composer.cli.app import command_app
from composer.cli.follow import carry_out
from composer.cli.options import DryRun, Services, signal_name
from composer.cli.session import Session

app = command_app()


@app.command()
def kill(
    ctx: typer.Context,
    services: Services = None,
    signal: Annotated[str, typer.Option("--signal", "-s", metavar="SIGNAL", help="Which signal")] = "SIGKILL",
    remove_orphans: Annotated[bool, typer.Option("--remove-orphans", help="Also what is not in the file")] = False,
    dry_run: DryRun = False,
) -> int:
    """Send a signal to containers."""
    session: Session = ctx.obj
    request = ServicesRequest(
        services=session.check_services(services),
        signal=signal_name(signal),
        remove_orphans=remove_orphans,
        dry_run=dry_run,
    )
    carry_out(session.progress, session.client.act("kill", session.name, request), dry_run=dry_run)
    return 0
