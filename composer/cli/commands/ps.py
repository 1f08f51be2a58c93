"""`compose ps`: the project's containers."""

from __future__ import annotations

from typing import Annotated

import typer

from composer.cli.app import command_app
from composer.cli.options import Services, check_format
from composer.cli.render.answer import say, say_json, say_table, write
from composer.cli.render.containers import FIELDS, HEADINGS, as_docker, as_row
from composer.cli.render.template import is_template, rendered
from composer.cli.session import Session
from composer.errors import UsageError

app = command_app()

STATES = ("paused", "restarting", "removing", "running", "dead", "created", "exited")


@app.command()
def ps(
    ctx: typer.Context,
    services: Services = None,
    every: Annotated[bool, typer.Option("--all", "-a", help="Also those that do not run, and one-offs")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Only ids")] = False,
    names: Annotated[bool, typer.Option("--services", help="Only the names of services")] = False,
    status: Annotated[list[str] | None, typer.Option(help=f"Only those that are: {', '.join(STATES)}")] = None,
    filter_: Annotated[list[str] | None, typer.Option("--filter", help="`status=STATE`")] = None,
    format_: Annotated[str, typer.Option("--format", help="table, json, or a template like `{{.Name}}`")] = "table",
    orphans: Annotated[
        bool, typer.Option("--orphans/--no-orphans", help="Also of services that the Compose file does not have")
    ] = True,
    no_trunc: Annotated[bool, typer.Option("--no-trunc", help="Show commands and ids whole")] = False,
) -> int:
    """List containers."""
    session: Session = ctx.obj
    if not is_template(format_):
        check_format(format_, "table", "json")
    wanted = _states(status, filter_)
    chosen = session.check_services(services)
    if not (chosen or orphans or session.recorded):
        chosen = tuple(session.project.services)
    containers = [
        container
        for container in session.client.containers(session.name, all_containers=every or bool(wanted))
        if (not chosen or container.service in chosen) and (not wanted or container.state in wanted)
    ]
    if not containers:
        session.mention_neighbour(session.name)
    containers.sort(key=lambda container: (container.service, container.one_off, container.number))
    if quiet:
        say(*(container.id for container in containers))
    elif names:
        say(*dict.fromkeys(container.service for container in containers))
    elif is_template(format_):
        records = [as_docker(container, whole=no_trunc) for container in containers]
        write(rendered(format_, records, FIELDS))
    elif format_ == "json":
        for container in containers:
            say_json(as_docker(container, whole=no_trunc))
    else:
        say_table(HEADINGS, [as_row(container, whole=no_trunc) for container in containers])
    return 0


def _states(status: list[str] | None, filters: list[str] | None) -> set[str]:
    wanted = set(status or ())
    for each in filters or ():
        key, _, value = each.partition("=")
        if key != "status":
            raise UsageError(f"`--filter {each}` is not known", hint="write `--filter status=STATE`")
        wanted.add(value)
    if unknown := wanted.difference(STATES):
        raise UsageError(f"`{sorted(unknown)[0]}` is not a state", hint=f"use one of {', '.join(STATES)}")
    return wanted
