"""`compose top`: the processes of running containers, from /proc of this machine."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from composer.cli.app import command_app
from composer.cli.options import Services
from composer.cli.processes import processes_of
from composer.cli.render.answer import say, say_table
from composer.cli.session import Session

app = command_app()


@app.command()
def top(
    ctx: typer.Context,
    services: Services = None,
    index: Annotated[int, typer.Option(help="Only this replica")] = 0,
) -> int:
    """Show the processes of containers."""
    session: Session = ctx.obj
    chosen = session.check_services(services)
    for container in sorted(session.client.containers(session.name), key=lambda each: each.name):
        if (chosen and container.service not in chosen) or (index and container.number != index):
            continue
        rows = [
            (
                each.user,
                str(each.pid),
                str(each.parent),
                "0",
                time.strftime("%H:%M", time.localtime(each.started)),
                each.terminal,
                time.strftime("%H:%M:%S", time.gmtime(each.seconds)),
                each.command,
            )
            for each in processes_of(container.pid)
        ]
        say(container.name)
        say_table(("UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"), rows)
        say("")
    return 0
