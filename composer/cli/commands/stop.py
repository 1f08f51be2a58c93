"""`compose stop`: end containers, and keep them."""

from __future__ import annotations

import typer

from composer.api.messages import ServicesRequest
from composer.cli.app import command_app
from composer.cli.follow import carry_out
from composer.cli.options import DryRun, Services, Timeout
from composer.cli.session import Session

app = command_app()


@app.command()
def stop(
    ctx: typer.Context,
    services: Services = None,
    timeout: Timeout = None,
    dry_run: DryRun = False,
) -> int:
    """Stop containers."""
    session: Session = ctx.obj
    request = ServicesRequest(
        services=session.check_services(services),
        timeout=timeout,
        dry_run=dry_run,
    )
    carry_out(session.progress, session.client.act("stop", session.name, request), dry_run=dry_run)
    return 0
