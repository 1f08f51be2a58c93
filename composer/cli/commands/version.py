"""`compose version`: what is installed here; asks no engine."""

from __future__ import annotations

from typing import Annotated

import typer

from composer import __version__
from composer.cli.app import command_app
from composer.cli.options import check_format
from composer.cli.render.answer import say, say_json

app = command_app()


@app.command()
def version(
    short: Annotated[bool, typer.Option("--short", help="Only the number")] = False,
    format_: Annotated[str, typer.Option("--format", "-f", help="pretty or json")] = "pretty",
) -> int:
    """Show the version."""
    if check_format(format_, "pretty", "json") == "json":
        say_json({"version": __version__})
    else:
        say(__version__ if short else f"composer version {__version__}")
    return 0
