"""`compose ls`: the projects that the engine knows."""

from __future__ import annotations

import re
from typing import Annotated

import typer

from composer.api.messages import ProjectSummary
from composer.cli.app import command_app
from composer.cli.options import check_format
from composer.cli.render.answer import say, say_json, say_table
from composer.cli.session import Session
from composer.errors import UsageError

app = command_app()

UP = ("running", "restarting", "paused")


@app.command()
def ls(
    ctx: typer.Context,
    every: Annotated[bool, typer.Option("--all", "-a", help="Also those without a running container")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Only names")] = False,
    filter_: Annotated[list[str] | None, typer.Option("--filter", metavar="name=REGEX", help="Only those")] = None,
    format_: Annotated[str, typer.Option("--format", help="table or json")] = "table",
) -> int:
    """List projects."""
    session: Session = ctx.obj
    check_format(format_, "table", "json")
    wanted = [_pattern(each) for each in filter_ or ()]
    projects = [
        project
        for project in session.client.projects(all_projects=every)
        if (every or any(state in project.status for state in UP))
        and all(pattern.search(project.name) for pattern in wanted)
    ]
    if not projects:
        session.mention_neighbour()
    projects.sort(key=lambda project: project.name)
    if quiet:
        say(*(project.name for project in projects))
    elif format_ == "json":
        say_json(
            [
                {"Name": project.name, "Status": _status(project, every), "ConfigFiles": ",".join(project.config_files)}
                for project in projects
            ]
        )
    else:
        rows = [(project.name, _status(project, every), ",".join(project.config_files)) for project in projects]
        say_table(("NAME", "STATUS", "CONFIG FILES"), rows)
    return 0


def _status(project: ProjectSummary, every: bool) -> str:
    """How many containers are in which state, by its name; what does not run only where all is asked for."""
    parts = sorted(project.status.split(", "))
    return ", ".join(part for part in parts if every or part.startswith(UP))


def _pattern(text: str) -> re.Pattern[str]:
    key, _, value = text.partition("=")
    try:
        if key == "name" and value:
            return re.compile(value)
    except re.error as error:
        raise UsageError(f"`--filter {text}` is not a regular expression: {error}") from error
    raise UsageError(f"`--filter {text}` is not known", hint="write `--filter name=REGEX`")
