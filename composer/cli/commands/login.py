"""`compose login`: credentials for a registry, tried and stored."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from composer.cli.app import command_app
from composer.cli.render.answer import say
from composer.cli.session import Session
from composer.errors import UsageError

app = command_app()


@app.command()
def login(
    ctx: typer.Context,
    server: Annotated[str, typer.Argument(metavar="SERVER", help="Docker Hub, if none is named")] = "",
    username: Annotated[str, typer.Option("--username", "-u", metavar="NAME", help="Asked for, if not given")] = "",
    password: Annotated[
        str, typer.Option("--password", "-p", metavar="TEXT", help="Others can see it: rather --password-stdin")
    ] = "",
    password_stdin: Annotated[bool, typer.Option("--password-stdin", help="Read the password from input")] = False,
) -> int:
    """Log in to a registry."""
    import asyncio

    from composer.registry.credentials import Credentials
    from composer.registry.login import login as store
    from composer.registry.login import registry_named

    session: Session = ctx.obj
    registry = registry_named(server)
    if password and password_stdin:
        raise UsageError("`--password` and `--password-stdin` cannot be combined")
    if password_stdin and not username:
        raise UsageError("`--password-stdin` needs `--username`")
    if password:
        session.progress.notice("a password on the command line can be seen by others; use --password-stdin")
    username = username or _ask("Username", hidden=False)
    password = sys.stdin.read().rstrip("\r\n") if password_stdin else password or _ask("Password", hidden=True)
    if not password:
        raise UsageError("cannot log in: the password is empty")
    where = asyncio.run(store(registry, Credentials(username, password), session.environment))
    say(f"Logged in to {registry} as {username}; stored in {where}")
    return 0


def _ask(what: str, *, hidden: bool) -> str:
    if not sys.stdin.isatty():
        raise UsageError(
            f"cannot ask for the {what.lower()}: this is no terminal", hint="use `--username NAME --password-stdin`"
        )
    answer: str = typer.prompt(what, hide_input=hidden, err=True)
    return answer
