"""`compose config`: the project as it was understood, or one aspect of it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from composer.cli.app import command_app
from composer.cli.options import Services, check_format
from composer.cli.render.answer import say
from composer.cli.session import Session
from composer.errors import HostError

if TYPE_CHECKING:
    from composer.project.model import Project

app = command_app()


@app.command()
def config(
    ctx: typer.Context,
    services: Services = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Only check")] = False,
    names: Annotated[bool, typer.Option("--services", help="The services' names")] = False,
    images: Annotated[bool, typer.Option("--images", help="The images' references")] = False,
    volumes: Annotated[bool, typer.Option("--volumes", help="The volumes' names")] = False,
    networks: Annotated[bool, typer.Option("--networks", help="The networks' names")] = False,
    profiles: Annotated[bool, typer.Option("--profiles", help="The profiles' names")] = False,
    environment: Annotated[bool, typer.Option("--environment", help="The variables that were used")] = False,
    format_: Annotated[str, typer.Option("--format", help="yaml or json")] = "yaml",
    output: Annotated[str, typer.Option("--output", "-o", metavar="FILE", help="Write to a file")] = "",
) -> int:
    """Check and print the project as it was understood."""
    from composer.project.select import select

    session: Session = ctx.obj
    check_format(format_, "yaml", "json")
    chosen = session.check_services(services)
    whole = session.project
    project = select(whole, chosen)
    if quiet:
        return 0
    if names:
        text = _lines(project.services)
    elif images:
        text = _lines(dict.fromkeys(each.image or f"{project.name}-{each.name}" for each in project.services.values()))
    elif volumes:
        text = _lines(project.volumes)
    elif networks:
        text = _lines(project.networks)
    elif profiles:
        every = {**whole.services, **whole.disabled}.values()
        text = _lines(sorted({profile for each in every for profile in each.profiles}))
    elif environment:
        text = _lines(f"{key}={value}" for key, value in sorted(whole.environment_used.items()))
    else:
        text = _whole(project, format_)
    if output:
        _write(Path(output), text)
    else:
        say(*text.splitlines())
    return 0


def _lines(values: Iterable[str]) -> str:
    return "".join(f"{value}\n" for value in values)


def _whole(project: Project, format_: str) -> str:
    from composer.project.canonical import canonical
    from composer.project.source import dump_yaml

    data = canonical(project)
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n" if format_ == "json" else dump_yaml(data)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text)
    except OSError as error:
        raise HostError(f"cannot write `{path}`: {(error.strerror or 'error').lower()}") from error
