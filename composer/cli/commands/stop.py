"""`compose stop`: end containers, and keep them."""

from __future__ import annotations

import typer

from composer.api.messages import ServicesRequest
from composer.cli.app import command_app
from composer.cli.follow import follow
from composer.cli.options import DryRun, Services, Timeout
from composer.cli.render.answer import say_plan
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
    result = follow(session.progress, session.client.act("stop", session.name, request))
    if dry_run:
        say_plan(result.plan)
    return 0
