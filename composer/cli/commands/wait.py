"""`compose wait`: block until containers have ended."""

from __future__ import annotations

from typing import Annotated

import typer

from composer.api.messages import DownRequest
from composer.cli.app import command_app
from composer.cli.follow import follow
from composer.cli.render.answer import say
from composer.cli.session import Session
from composer.errors import UsageError

app = command_app()


@app.command()
def wait(
    ctx: typer.Context,
    services: Annotated[list[str], typer.Argument(metavar="SERVICE")],
    down_project: Annotated[bool, typer.Option("--down-project", help="Then take the project down")] = False,
) -> int:
    """Wait until containers stop, and exit with the code of the last."""
    session: Session = ctx.obj
    chosen = session.check_services(services)
    containers = [
        container
        for container in session.client.containers(session.name, all_containers=True)
        if container.service in chosen and not container.one_off
    ]
    if not containers:
        raise UsageError(
            f"no containers for {', '.join(f'`{name}`' for name in chosen)}", hint="start them: `compose up -d`"
        )
    code = 0
    for container in containers:
        code = session.client.wait(container.id)
        say(str(code))
    if down_project:
        project = None if session.recorded else session.wire_project
        follow(session.progress, session.client.down(session.name, DownRequest(project=project)))
    return code
