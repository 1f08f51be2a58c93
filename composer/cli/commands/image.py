"""`compose image`: what is in the image store, and ways to get more in."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from composer.api.messages import ImagesRequest
from composer.cli.app import command_app
from composer.cli.follow import follow
from composer.cli.image_about import history, inspect
from composer.cli.image_care import prune, verify
from composer.cli.options import check_format
from composer.cli.render.answer import say, say_json, say_table
from composer.cli.render.containers import human_duration
from composer.cli.render.errors import show_warning
from composer.cli.render.images import human_size, listed_platforms, listed_reference, short_id
from composer.cli.session import Session
from composer.errors import ComposerError, UsageError

app = command_app()
for each in (inspect, history, verify, prune):
    app.command()(each)


@app.callback()
def image() -> None:
    """Pull, push, import, load, list and remove images."""


@app.command("import")
def import_(
    ctx: typer.Context,
    path: Annotated[
        str,
        typer.Argument(
            metavar="PATH", help="A root file system: a directory, a tar archive, or `-` for standard input"
        ),
    ],
    reference: Annotated[str, typer.Argument(metavar="REFERENCE", help="What to call it, for instance `debian:12`")],
    change: Annotated[
        list[str] | None, typer.Option("--change", "-c", metavar="INSTRUCTION", help="As in a Dockerfile")
    ] = None,
) -> int:
    """Make an image of a root file system."""
    session: Session = ctx.obj
    with _given(path) as rootfs:
        made = session.client.import_image(rootfs, reference, tuple(change or ()))
    say(made["id"])
    return 0


@app.command()
def load(
    ctx: typer.Context,
    path: Annotated[
        str,
        typer.Argument(
            metavar="PATH",
            show_default=False,
            help="An OCI layout or archive, a docker archive, or a directory of skopeo's; standard input if none is named",
        ),
    ] = "-",
    input_: Annotated[str, typer.Option("--input", "-i", metavar="PATH", help="The same, as Docker has it")] = "",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Do not name what was loaded")] = False,
) -> int:
    """Take in images from an archive or layout."""
    session: Session = ctx.obj
    if input_ and path != "-":
        raise UsageError("`--input` and PATH cannot both be given")
    with _given(input_ or path) as archive:
        loaded = session.client.load_image(archive)
    if not quiet:
        say(*(f"Loaded image: {reference}" for reference in loaded))
    return 0


@app.command()
def ls(
    ctx: typer.Context,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Only ids")] = False,
    format_: Annotated[str, typer.Option("--format", help="table or json")] = "table",
) -> int:
    """List images."""
    session: Session = ctx.obj
    check_format(format_, "table", "json")
    listed = session.client.images()
    for each in listed:
        if each.damage:
            name = each.reference or short_id(each.id)
            show_warning(session.err, f"skipped `{name}`: {each.damage}", "`compose image verify` names all damage")
    images = [each for each in listed if not each.damage]
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
        rows = []
        for each in images:
            age = _age(each.created, now)
            rows.append((*listed_reference(each.reference), short_id(each.id), age, human_size(each.size)))
            rows += [(f"  {one.platform}", "", short_id(one.id), age, human_size(one.size)) for one in each.platforms]
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
def save(
    ctx: typer.Context,
    references: Annotated[list[str], typer.Argument(metavar="REFERENCE")],
    output: Annotated[str, typer.Option("--output", "-o", metavar="FILE", help="Instead of standard output")] = "",
) -> int:
    """Save images to an archive that Docker and OCI tools can read."""
    session: Session = ctx.obj
    if output:
        session.client.save_images(references, str(Path(output).absolute()), session.surroundings)
        return 0
    if sys.stdout.isatty():
        raise UsageError("an archive is nothing for a terminal", hint="use `--output FILE`, or redirect the output")
    with TemporaryDirectory() as directory:
        archive = Path(directory, "images.tar")
        session.client.save_images(references, str(archive), session.surroundings)
        with archive.open("rb") as file:
            shutil.copyfileobj(file, sys.stdout.buffer)
            sys.stdout.buffer.flush()
    return 0


@app.command()
def rm(
    ctx: typer.Context,
    references: Annotated[list[str], typer.Argument(metavar="REFERENCE")],
    force: Annotated[bool, typer.Option("--force", "-f", help="Even if a container uses it")] = False,
) -> int:
    """Remove images."""
    session: Session = ctx.obj
    removed = session.client.remove_images(references, force=force)
    say(*(f"{'Deleted' if each.startswith('sha256:') else 'Untagged'}: {each}" for each in removed))
    return 0


@contextmanager
def _given(path: str) -> Iterator[str]:
    """The path made absolute for the engine; for `-` that of a file with what standard input brings. Raises UsageError."""
    if path != "-":
        absolute = Path(path).absolute()
        if not absolute.exists():
            raise UsageError(f"cannot read `{path}`: no such file or directory")
        yield str(absolute)
        return
    if sys.stdin.isatty():
        raise UsageError("an archive cannot be typed", hint="name its file, or redirect standard input")
    with TemporaryDirectory() as directory:
        archive = Path(directory, "stdin")
        with archive.open("wb") as file:
            shutil.copyfileobj(sys.stdin.buffer, file)
        try:
            yield str(archive)
        except ComposerError as error:  # the engine knows it by the name of a file that will be gone
            error.message = error.message.replace(f"`{archive}`", "standard input")
            error.hint = error.hint.replace(str(archive), "-")
            raise


def _age(created: float, now: float) -> str:
    return f"{human_duration(now - created)} ago" if created else "N/A"
