"""`compose init`: a project's first files, for what the folder holds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from composer.cli.app import command_app
from composer.cli.options import check_format
from composer.cli.render.answer import say
from composer.cli.session import Session
from composer.errors import HostError, UsageError

app = command_app()


@app.command()
def init(
    ctx: typer.Context,
    directory: Annotated[str, typer.Argument(metavar="DIRECTORY", show_default=False, help="Here, if left out")] = ".",
    kind: Annotated[str, typer.Option(metavar="KIND", help="python, node, go or static; otherwise what is found")] = "",
    postgres: Annotated[
        bool | None, typer.Option("--postgres/--no-postgres", help="With PostgreSQL; otherwise where it is asked for")
    ] = None,
    redis: Annotated[
        bool | None, typer.Option("--redis/--no-redis", help="With Redis; otherwise where it is asked for")
    ] = None,
) -> int:
    """Write a commented compose.yaml, a Dockerfile and a .dockerignore for what the folder holds; overwrite nothing.

    Where there is a Dockerfile, that is what is built.
    """
    from composer.project.detect import KINDS, detect
    from composer.project.discover import NAMES, normalise_name
    from composer.project.scaffold import scaffold

    session: Session = ctx.obj
    if kind:
        check_format(kind, *KINDS, noun="kind")
    place = session.working_directory / directory
    if not place.is_dir():
        raise UsageError(f"there is no directory `{directory}`")
    if there := next((name for name in NAMES if (place / name).exists()), ""):
        raise UsageError(f"there is a `{there}` already", hint="`compose up` starts it, `compose check` looks it over")
    found = detect(place, kind)
    if found is None:
        hint = f"say what it will be: `--kind {'|'.join(KINDS)}`"
        raise UsageError(f"nothing in `{directory}` tells what it holds", hint=hint)
    files = scaffold(
        normalise_name(place.resolve().name) or "project",
        found,
        postgres=found.postgres if postgres is None else postgres,
        redis=found.redis if redis is None else redis,
    )
    for name, text in files.items():
        say(f"{'wrote' if _write(place / name, text) else 'kept '}  {name}")
    if found.kind == "dockerfile":
        say("kept   Dockerfile")
    say(f"for {'your Dockerfile' if found.kind == 'dockerfile' else found.kind}; `compose up` starts it")
    return 0


def _write(path: Path, text: str) -> bool:
    """Write a new file; False, and nothing written, where there is one."""
    try:
        with path.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError:
        return False
    except OSError as error:
        raise HostError(f"cannot write `{path}`: {(error.strerror or 'error').lower()}") from error
    return True
