"""`compose restart`: stop and start containers."""

from __future__ import annotations

from typing import Annotated

import typer

from composer.api.messages import ServicesRequest
from composer.cli.app import command_app
from composer.cli.follow import follow
from composer.cli.options import DryRun, Services, Timeout
from composer.cli.render.answer import say_plan
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
    result = follow(session.progress, session.client.act("restart", session.name, request))
    if dry_run:
        say_plan(result.plan)
    return 0
