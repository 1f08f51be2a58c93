"""`compose ls`: the projects that the engine knows."""

from __future__ import annotations

from typing import Annotated

import typer

from composer.cli.app import command_app
from composer.cli.options import check_format
from composer.cli.render.answer import say, say_json, say_table
from composer.cli.session import Session

app = command_app()


@app.command()
def ls(
    ctx: typer.Context,
    every: Annotated[bool, typer.Option("--all", "-a", help="Also those without a running container")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Only names")] = False,
    format_: Annotated[str, typer.Option("--format", help="table or json")] = "table",
) -> int:
    """List projects."""
    session: Session = ctx.obj
    check_format(format_, "table", "json")
    projects = [
        project
        for project in session.client.projects(all_projects=every)
        if every or any(state in project.status for state in ("running", "restarting", "paused"))
    ]
    if not projects:
        session.mention_neighbour()
    projects.sort(key=lambda project: project.name)
    if quiet:
        say(*(project.name for project in projects))
    elif format_ == "json":
        say_json(
            [
                {"Name": project.name, "Status": project.status, "ConfigFiles": ",".join(project.config_files)}
                for project in projects
            ]
        )
    else:
        rows = [(project.name, project.status, ",".join(project.config_files)) for project in projects]
        say_table(("NAME", "STATUS", "CONFIG FILES"), rows)
    return 0
