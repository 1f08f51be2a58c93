"""`compose image`: what is in the image store, and ways to get more in."""

from __future__ import annotations

import time
from fnmatch import fnmatchcase
from typing import Annotated

import typer

from composer.api.messages import ImagesRequest
from composer.cli.app import command_app
from composer.cli.follow import follow
from composer.cli.image_about import history, inspect
from composer.cli.image_archives import import_, load, save
from composer.cli.image_care import prune, verify
from composer.cli.options import check_format
from composer.cli.render.answer import say, say_json, say_table
from composer.cli.render.containers import human_duration
from composer.cli.render.errors import show_error, show_warning
from composer.cli.render.images import human_size, listed_platforms, listed_reference, short_id
from composer.cli.session import Session
from composer.errors import ImageError

app = command_app()
for each in (inspect, history, verify, prune, load, save):
    app.command()(each)
app.command("import")(import_)


@app.callback()
def image() -> None:
    """Pull, push, import, load, list and remove images."""


@app.command()
def ls(
    ctx: typer.Context,
    name: Annotated[
        str,
        typer.Argument(
            metavar="[REPOSITORY[:TAG]]", show_default=False, help="Only what is called like this; `*` for any"
        ),
    ] = "*",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Only ids")] = False,
    no_trunc: Annotated[bool, typer.Option("--no-trunc", help="Do not cut ids short")] = False,
    format_: Annotated[str, typer.Option("--format", help="table or json")] = "table",
) -> int:
    """List images."""
    session: Session = ctx.obj
    check_format(format_, "table", "json")
    listed = session.client.images()
    for each in listed:
        if each.damage:
            damaged = each.reference or short_id(each.id)
            show_warning(session.err, f"skipped `{damaged}`: {each.damage}", "`compose image verify` names all damage")
    images = [each for each in listed if not each.damage and _is_called(each.reference, name)]
    if quiet:
        say(*dict.fromkeys(each.id for each in images))
    elif format_ == "json":
        for each in images:
            repository, tag = listed_reference(each.reference)
            platforms = {"Platforms": listed_platforms(each.platforms)} if each.platforms else {}
            say_json(
                {"ID": each.id, "Repository": repository, "Tag": tag, "Size": each.size, "Created": int(each.created)}
                | platforms
            )
    else:
        now = time.time()
        identity = str if no_trunc else short_id
        rows = []
        for each in images:
            age = _age(each.created, now)
            rows.append((*listed_reference(each.reference), identity(each.id), age, human_size(each.size)))
            rows += [(f"  {one.platform}", "", identity(one.id), age, human_size(one.size)) for one in each.platforms]
        say_table(("REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE"), rows)
    return 0


@app.command()
def pull(
    ctx: typer.Context,
    references: Annotated[list[str], typer.Argument(metavar="REFERENCE", help="For instance `redis:7`")],
    platform: Annotated[str, typer.Option(metavar="OS/ARCHITECTURE", help="Instead of this machine's")] = "",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Do not show progress")] = False,
) -> int:
    """Pull images from their registries."""
    session: Session = ctx.obj
    request = ImagesRequest(tuple(references), platform, session.surroundings)
    follow(session.quiet if quiet else session.progress, session.client.pull_images(request))
    return 0


@app.command()
def push(
    ctx: typer.Context,
    references: Annotated[list[str], typer.Argument(metavar="REFERENCE", help="For instance `registry.lan/web:1`")],
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Do not show progress")] = False,
) -> int:
    """Push images to their registries."""
    session: Session = ctx.obj
    request = ImagesRequest(tuple(references), surroundings=session.surroundings)
    follow(session.quiet if quiet else session.progress, session.client.push_images(request))
    return 0


@app.command()
def tag(
    ctx: typer.Context,
    source: Annotated[str, typer.Argument(metavar="REFERENCE")],
    target: Annotated[str, typer.Argument(metavar="NAME", help="Its further name")],
) -> int:
    """Give an image one more name."""
    session: Session = ctx.obj
    session.client.tag_image(source, target)
    return 0


@app.command()
def rm(
    ctx: typer.Context,
    references: Annotated[list[str], typer.Argument(metavar="REFERENCE")],
    force: Annotated[bool, typer.Option("--force", "-f", help="Even if a container uses it")] = False,
) -> int:
    """Remove images."""
    session: Session = ctx.obj
    code = 0
    for reference in references:
        try:
            removed = session.client.remove_images([reference], force=force)
        except ImageError as error:  # the others may well go
            show_error(session.err, error)
            code = error.exit_code
            continue
        say(*(f"{'Deleted' if each.startswith('sha256:') else 'Untagged'}: {each}" for each in removed))
    return code


def _is_called(reference: str, name: str) -> bool:
    """Whether an image has this repository, and this tag where `name` has one."""
    repository, tag = listed_reference(reference)
    return name == "*" or fnmatchcase(repository, name) or fnmatchcase(f"{repository}:{tag}", name)


def _age(created: float, now: float) -> str:
    return f"{human_duration(now - created)} ago" if created else "N/A"
