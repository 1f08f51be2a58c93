"""`compose image verify` and `compose image prune`: keeping the store sound and small."""

from __future__ import annotations

import re
import sys
from typing import Annotated

import typer

from composer.api.messages import PruneRequest
from composer.cli.options import point_in_time
from composer.cli.render.answer import say
from composer.cli.render.images import human_size
from composer.cli.session import Session
from composer.errors import UsageError

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)i?b?", re.IGNORECASE)
_FACTORS = {"": 1, "k": 1000, "m": 1000**2, "g": 1000**3, "t": 1000**4}

Filters = Annotated[list[str] | None, typer.Option("--filter", help="until=TIME or label=KEY[=VALUE]")]
Force = Annotated[bool, typer.Option("--force", "-f", help="Do not ask")]


def verify(
    ctx: typer.Context,
    references: Annotated[list[str] | None, typer.Argument(metavar="REFERENCE")] = None,
    repair: Annotated[bool, typer.Option("--repair", help="Delete what is damaged, to be had again")] = False,
) -> int:
    """Read what is stored and name what is damaged; exit code 1 if anything is."""
    session: Session = ctx.obj
    found = session.client.verify_images(references or [], repair=repair)
    for each in found:
        say(f"{each['image']}: {each['problem']}", f"  to heal it: {each['hint']}")
    if not found:
        say("Everything is as its digests say")
    return 1 if found else 0


def prune(
    ctx: typer.Context,
    every: Annotated[bool, typer.Option("--all", "-a", help="Named images, too, that no container uses")] = False,
    filters: Filters = None,
    until: Annotated[str, typer.Option(metavar="TIME", help="Only images made before")] = "",
    keep_storage: Annotated[str, typer.Option(metavar="SIZE", help="Keep this much, the newest: `10GB`")] = "",
    blobs: Annotated[bool, typer.Option("--blobs", help="Also blobs that can be pulled again")] = False,
    force: Force = False,
) -> int:
    """Remove images that no container uses."""
    session: Session = ctx.obj
    request = prune_request(every=every, filters=filters, until=until, keep_storage=keep_storage, blobs=blobs)
    what = "all images without at least one container" if every else "all dangling images"
    if force or agreed(f"This will remove {what}.", "compose image prune"):
        say_pruned(session, request)
    return 0


def prune_request(
    *, every: bool, filters: list[str] | None, until: str = "", keep_storage: str = "", blobs: bool = False
) -> PruneRequest:
    """The request that the options mean. Raises UsageError."""
    labels = []
    for each in filters or []:
        key, _, value = each.partition("=")
        if key == "until" and value:
            until = value
        elif key == "label" and value:
            labels.append(value)
        elif key == "dangling" and value in ("true", "false"):
            every = every or value == "false"
        else:
            raise UsageError(f"cannot filter by `{each}`", hint="use `until=TIME` or `label=KEY[=VALUE]`")
    before = point_in_time(until, "--until") if until else None
    return PruneRequest(every, before, tuple(labels), _bytes(keep_storage) if keep_storage else None, blobs)


def agreed(warning: str, command: str) -> bool:
    """Whether the user agrees on the terminal. Raises UsageError where there is none to ask on."""
    if not sys.stdin.isatty():
        raise UsageError(f"`{command}` has no terminal to ask on", hint=f"use `{command} --force`")
    return typer.confirm(f"WARNING! {warning}\nAre you sure you want to continue?")


def say_pruned(session: Session, request: PruneRequest, reclaimed: int = 0) -> None:
    """Prune and tell what went; `reclaimed` bytes were freed before."""
    result = session.client.prune_images(request)
    if result.removed:
        say("Deleted Images:")
        say(*(f"{'deleted' if each.startswith('sha256:') else 'untagged'}: {each}" for each in result.removed))
    say(f"Total reclaimed space: {human_size(reclaimed + result.reclaimed)}")


def _bytes(text: str) -> int:
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"`{text}` is no size", hint="write it as `500MB` or `10GB`")
    return int(float(match[1]) * _FACTORS[match[2].lower()])
