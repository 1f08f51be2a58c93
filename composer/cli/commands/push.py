"""`compose push`: the images that services build, to their registries."""

from __future__ import annotations

from typing import Annotated

import typer

from composer.api.messages import PushRequest
from composer.cli.app import command_app
from composer.cli.follow import carry_out
from composer.cli.options import DryRun, Services
from composer.cli.session import Session

app = command_app()


@app.command()
def push(
    ctx: typer.Context,
    services: Services = None,
    ignore_push_failures: Annotated[
        bool, typer.Option("--ignore-push-failures", help="Push what can be pushed, and only warn of the rest")
    ] = False,
    include_deps: Annotated[bool, typer.Option("--include-deps", help="Push for dependencies too")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Do not show progress")] = False,
    dry_run: DryRun = False,
) -> int:
    """Push the images that services build."""
    session: Session = ctx.obj
    request = PushRequest(
        session.wire_project,
        services=session.check_services(services),
        include_deps=include_deps,
        ignore_failures=ignore_push_failures,
        dry_run=dry_run,
        surroundings=session.surroundings,
    )
    carry_out(session.quiet if quiet else session.progress, session.client.push(session.name, request), dry_run=dry_run)
    return 0
