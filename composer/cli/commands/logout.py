"""`compose logout`: forget the credentials for a registry."""

from __future__ import annotations

from typing import Annotated

import typer

from composer.cli.app import command_app
from composer.cli.render.answer import say
from composer.cli.session import Session

app = command_app()


@app.command()
def logout(
    ctx: typer.Context,
    server: Annotated[str, typer.Argument(metavar="SERVER", help="Docker Hub, if none is named")] = "",
) -> int:
    """Log out of a registry."""
    from composer.registry.login import logout as forget
    from composer.registry.login import registry_named

    session: Session = ctx.obj
    registry = registry_named(server)
    known = forget(registry, session.environment)
    say(f"Removed the credentials for {registry}" if known else f"Not logged in to {registry}")
    return 0
