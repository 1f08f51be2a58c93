"""`compose images`: what the project's containers were made from."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from composer.cli.app import command_app
from composer.cli.options import Services, check_format
from composer.cli.render.answer import say, say_json, say_table
from composer.cli.render.containers import human_duration
from composer.cli.render.images import human_size, short_id, split_reference
from composer.cli.session import Session

app = command_app()


@app.command()
def images(
    ctx: typer.Context,
    services: Services = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Only ids")] = False,
    format_: Annotated[str, typer.Option("--format", help="table or json")] = "table",
) -> int:
    """List the images that the containers use."""
    session: Session = ctx.obj
    check_format(format_, "table", "json")
    chosen = session.check_services(services)
    stored = {each.id: each for each in session.client.images()}
    rows, objects = [], []
    for container in sorted(session.client.containers(session.name, all_containers=True), key=lambda each: each.name):
        if chosen and container.service not in chosen:
            continue
        repository, tag = split_reference(container.image)
        identity = container.image_id
        found = stored.get(identity)
        size, created = (found.size, found.created) if found else (0, 0.0)
        age = f"{human_duration(time.time() - created)} ago" if created else "N/A"
        rows.append((container.name, repository, tag, short_id(identity), human_size(size), age))
        objects.append(
            {"ID": identity, "ContainerName": container.name, "Repository": repository, "Tag": tag, "Size": size}
        )
    if quiet:
        say(*dict.fromkeys(str(each["ID"]) for each in objects if each["ID"]))
    elif format_ == "json":
        say_json(objects)
    else:
        say_table(("CONTAINER", "REPOSITORY", "TAG", "IMAGE ID", "SIZE", "CREATED"), rows)
    return 0
