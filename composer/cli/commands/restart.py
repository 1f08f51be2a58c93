"""`compose restart`: stop and start containers."""

from __future__ import annotations

from typing import Annotated

import typer

from composer.api.messages import ServicesRequest
from composer.cli.app import command_app
from composer.cli.follow import carry_out
from composer.cli.options import DryRun, Services, Timeout
from composer.cli.session import Session

app = command_app()


@app.command()
def restart(
    ctx: typer.Context,
    services: Services = None,
    timeout: Timeout = None,
    no_deps: Annotated[bool, typer.Option("--no-deps", help="Not those that depend on them")] = False,
    dry_run: DryRun = False,
) -> int:
    """Restart containers."""
    session: Session = ctx.obj
    request = ServicesRequest(
        services=session.check_services(services),
        timeout=timeout,
        no_deps=no_deps,
        dry_run=dry_run,
    )
    carry_out(session.progress, session.client.act("restart", session.name, request), dry_run=dry_run)
    return 0
