"""`compose engine`: the process behind the commands."""

from __future__ import annotations

import os
from dataclasses import asdict
from typing import Annotated

import typer

from composer.api.starter import accepts, await_end, forkserver_pid
from composer.cli.app import command_app
from composer.cli.follow import follow
from composer.cli.options import check_format
from composer.cli.render.answer import copy_file, say, say_json
from composer.cli.render.containers import human_duration
from composer.cli.session import Session
from composer.paths import Paths

app = command_app()

NOT_RUNNING = 3
"""What `engine status` exits with when there is no engine, as `systemctl status` does."""


@app.callback()
def engine() -> None:
    """Show, stop or read the engine behind the commands."""


@app.command()
def status(
    ctx: typer.Context, format_: Annotated[str, typer.Option("--format", "-f", help="text or json")] = "text"
) -> int:
    """Show what runs; starts nothing."""
    session: Session = ctx.obj
    check_format(format_, "text", "table", "json")
    paths = _paths(session)
    if not accepts(paths.engine_socket):
        if format_ == "json":
            say_json({"socket": str(paths.engine_socket), "data": str(paths.data), "engine": 0, "running": 0})
        else:
            say("The engine is not running; the next command that needs it starts it.")
        return NOT_RUNNING
    found = session.client.status()
    forkserver = forkserver_pid(paths)
    if format_ == "json":
        say_json({**asdict(found), "forkserver": forkserver})
        return 0
    width = 12
    for name, value in (
        ("version", found.version),
        ("socket", found.socket),
        ("data", found.data),
        ("up for", human_duration(found.uptime).lower()),
        ("processes", _processes(found.engine, found.keeper, found.data_plane, found.pump, forkserver)),
        ("projects", str(found.projects)),
        ("containers", f"{found.containers}, {found.running} running"),
        ("runs as", "an ordinary user" if found.rootless else "root"),
        *(("note", note) for note in found.notes),
    ):
        say(f"{name:<{width}}{value}")
    return 0


@app.command()
def stop(
    ctx: typer.Context,
    force: Annotated[bool, typer.Option("--force", "-f", help="Also end the containers that run")] = False,
) -> int:
    """End the engine; refuses while containers run, unless forced."""
    session: Session = ctx.obj
    if not accepts(_paths(session).engine_socket):
        say("The engine is not running.")
        return 0
    found = session.client.status()
    forkserver = forkserver_pid(_paths(session))
    follow(session.progress, session.client.stop_engine(force=force))
    # Its sockets, mounts and files go last: whoever looks for them after this command shall find none.
    await_end(found.keeper, found.engine, found.data_plane, found.pump, forkserver)
    return 0


@app.command()
def logs(
    ctx: typer.Context,
    tail: Annotated[int, typer.Option("--tail", "-n", metavar="NUMBER", help="So many lines, 0 for all")] = 100,
    keeper: Annotated[bool, typer.Option("--keeper", help="The keeper's instead of the engine's")] = False,
) -> int:
    """Show what the engine says of itself."""
    paths = _paths(ctx.obj)
    copy_file(paths.keeper_log if keeper else paths.engine_log, tail)
    return 0


def _paths(session: Session) -> Paths:
    return Paths.from_environment(session.environment, os.getuid())


def _processes(engine: int, keeper: int, data_plane: int, pump: int, forkserver: int) -> str:
    named = {
        "engine": engine,
        "keeper": keeper,
        "data plane": data_plane,
        "log pump": pump,
        "forkserver": forkserver,
    }
    return ", ".join(f"{name} {pid}" for name, pid in named.items() if pid)
