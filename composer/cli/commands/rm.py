"""`compose rm`: remove stopped containers."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from composer.api.messages import ServicesRequest
from composer.cli.app import command_app
from composer.cli.follow import carry_out
from composer.cli.options import DryRun, Services
from composer.cli.render.answer import say
from composer.cli.session import Session
from composer.errors import UsageError

app = command_app()


@app.command()
def rm(
    ctx: typer.Context,
    services: Services = None,
    force: Annotated[bool, typer.Option("--force", "-f", help="Do not ask")] = False,
    stop: Annotated[bool, typer.Option("--stop", "-s", help="Stop them first")] = False,
    volumes: Annotated[bool, typer.Option("--volumes", "-v", help="Also their anonymous volumes")] = False,
    dry_run: DryRun = False,
) -> int:
    """Remove stopped containers."""
    session: Session = ctx.obj
    if not (force or dry_run) and not _confirmed(session, services, stop=stop):
        return 0
    request = ServicesRequest(
        services=session.check_services(services),
        stop=stop,
        volumes=volumes,
        dry_run=dry_run,
    )
    carry_out(session.progress, session.client.act("rm", session.name, request), dry_run=dry_run)
    return 0


def _confirmed(session: Session, services: list[str] | None, *, stop: bool) -> bool:
    """Whether the user agrees; without a terminal to ask on, that needs `--force`. Raises UsageError."""
    chosen = session.check_services(services)
    names = [
        container.name
        for container in session.client.containers(session.name, all_containers=True)
        if (not chosen or container.service in chosen) and (stop or container.state in ("exited", "created", "dead"))
    ]
    if not names:
        say("No stopped containers")
        return False
    if not sys.stdin.isatty():
        raise UsageError("`compose rm` has no terminal to ask on", hint="use `compose rm --force`")
    return typer.confirm(f"Going to remove {', '.join(names)}\nAre you sure?")
