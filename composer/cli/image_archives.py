"""`compose image import`, `load` and `save`: images from archives and into them, by file or as a stream."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from composer.cli.render.answer import say
from composer.cli.session import Session
from composer.errors import ComposerError, UsageError


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
