"""`compose start`: start containers that exist, dependencies first."""

from __future__ import annotations

from typing import Annotated

import typer

from composer.api.messages import ServicesRequest
from composer.cli.app import command_app
from composer.cli.follow import carry_out
from composer.cli.options import DryRun, Services
from composer.cli.session import Session

app = command_app()


@app.command()
def start(
    ctx: typer.Context,
    services: Services = None,
    wait: Annotated[bool, typer.Option("--wait", help="Return once everything is running or healthy")] = False,
    wait_timeout: Annotated[float | None, typer.Option(metavar="SECONDS", help="How long to wait at most")] = None,
    dry_run: DryRun = False,
) -> int:
    """Start containers that exist."""
    session: Session = ctx.obj
    request = ServicesRequest(
        services=session.check_services(services),
        wait=wait,
        wait_timeout=wait_timeout,
        dry_run=dry_run,
    )
    carry_out(session.progress, session.client.act("start", session.name, request), dry_run=dry_run)
    return 0
