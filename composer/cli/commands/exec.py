"""`compose exec`: a command in a running container."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from composer.api.messages import ExecRequest
from composer.cli.app import command_app
from composer.cli.attach import Streams, converse
from composer.cli.options import Environment, variables
from composer.cli.session import Session
from composer.cli.terminal import window_size

app = command_app(allow_interspersed_args=False)


@app.command("exec")
def execute(
    ctx: typer.Context,
    service: Annotated[str, typer.Argument(metavar="SERVICE")],
    command: Annotated[list[str], typer.Argument(metavar="COMMAND")],
    no_tty: Annotated[bool, typer.Option("--no-tty", "--no-TTY", "-T", help="No terminal for the command")] = False,
    env: Environment = None,
    user: Annotated[str, typer.Option("--user", "-u", metavar="USER[:GROUP]", help="Run as this user")] = "",
    workdir: Annotated[str, typer.Option("--workdir", "-w", metavar="PATH", help="Run in this directory")] = "",
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Do not wait for the command")] = False,
    index: Annotated[int, typer.Option(help="Which replica")] = 0,
    privileged: Annotated[bool, typer.Option("--privileged", help="With all capabilities")] = False,
    interactive: Annotated[bool, typer.Option("--interactive/--no-interactive", "-i", hidden=True)] = True,
    _tty: Annotated[bool, typer.Option("--tty", "-t", hidden=True)] = False,
) -> int:
    """Run a command in a running container."""
    session: Session = ctx.obj
    session.check_services([service])
    tty = not no_tty and not detach and os.isatty(0) and os.isatty(1)
    rows, columns = window_size()
    request = ExecRequest(
        service=service,
        command=tuple(command),
        index=index,
        tty=tty,
        environment=variables(env, session.environment),
        user=user,
        working_dir=workdir,
        detach=detach,
        privileged=privileged,
        rows=rows,
        columns=columns,
    )
    return converse(
        lambda: session.client.execute(session.name, request),
        Streams(stdin=0 if interactive and not detach else -1, tty=tty),
    )
