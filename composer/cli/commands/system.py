"""`compose system`: what everything takes on the disk, and making room."""

from __future__ import annotations

from typing import Annotated

import typer

from composer.api.messages import BuildPruneRequest, ServicesRequest
from composer.cli.app import command_app
from composer.cli.follow import follow
from composer.cli.image_care import Filters, Force, agreed, prune_request, say_pruned
from composer.cli.options import check_format
from composer.cli.render.answer import say_json, say_table
from composer.cli.render.images import human_size
from composer.cli.session import Session

app = command_app()


@app.callback()
def system() -> None:
    """See and reduce what is taken on the disk."""


@app.command()
def df(ctx: typer.Context, format_: Annotated[str, typer.Option("--format", help="table or json")] = "table") -> int:
    """Show what images, containers, volumes, logs and the build cache take on the disk."""
    session: Session = ctx.obj
    check_format(format_, "table", "json")
    lines = session.client.disk_usage()
    if format_ == "json":
        for line in lines:
            say_json(
                {
                    "Type": line.kind,
                    "TotalCount": line.total,
                    "Active": line.active,
                    "Size": line.size,
                    "Reclaimable": line.reclaimable,
                }
            )
        return 0
    rows = [
        (
            line.kind,
            str(line.total),
            str(line.active),
            human_size(line.size),
            f"{human_size(line.reclaimable)} ({100 * line.reclaimable // line.size if line.size else 0}%)",
        )
        for line in lines
    ]
    say_table(("TYPE", "TOTAL", "ACTIVE", "SIZE", "RECLAIMABLE"), rows)
    return 0


@app.command()
def prune(
    ctx: typer.Context,
    every: Annotated[bool, typer.Option("--all", "-a", help="Named images, too, that no container uses")] = False,
    volumes: Annotated[bool, typer.Option("--volumes", help="Also anonymous volumes of removed containers")] = False,
    filters: Filters = None,
    force: Force = False,
) -> int:
    """Remove stopped containers, images that no container uses, and cached steps of builds."""
    session: Session = ctx.obj
    request = prune_request(every=every, filters=filters)
    images = "all images without at least one container" if every else "all dangling images"
    with_volumes = " with their anonymous volumes" if volumes else ""
    cache = "the build cache with its cache mounts" if every else "the build cache"
    warning = f"This will remove all stopped containers{with_volumes}, {images}, and {cache}."
    if not (force or agreed(warning, "compose system prune")):
        return 0
    for project in session.client.projects(all_projects=True):
        follow(session.progress, session.client.act("rm", project.name, ServicesRequest(volumes=volumes)))
    cached = session.client.prune_build_cache(BuildPruneRequest(every, request.created_before))
    say_pruned(session, request, cached.reclaimed)
    return 0
