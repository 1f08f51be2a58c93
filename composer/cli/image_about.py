"""`compose image inspect` and `compose image history`: what an image says of itself, in Docker's words."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Annotated, Any

import typer

from composer.api.messages import ImageDetails
from composer.cli.options import check_format
from composer.cli.render.answer import say, say_json, say_table
from composer.cli.render.containers import human_duration
from composer.cli.render.images import human_size, listed_platforms, short_id
from composer.cli.session import Session

_LONGEST = 45


def inspect(ctx: typer.Context, references: Annotated[list[str], typer.Argument(metavar="REFERENCE")]) -> int:
    """Print all that is known of images, as JSON."""
    session: Session = ctx.obj
    say_json([_inspected(each) for each in session.client.inspect_images(references)])
    return 0


def history(
    ctx: typer.Context,
    reference: Annotated[str, typer.Argument(metavar="REFERENCE")],
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Only ids")] = False,
    no_trunc: Annotated[bool, typer.Option("--no-trunc", help="Whole ids and commands")] = False,
    format_: Annotated[str, typer.Option("--format", help="table or json")] = "table",
) -> int:
    """Show how an image was made, the newest step first."""
    session: Session = ctx.obj
    check_format(format_, "table", "json")
    (image,) = session.client.inspect_images([reference])
    steps = _steps(image)
    if quiet:
        say(*(step["ID"] if no_trunc else short_id(step["ID"]) for step in steps))
    elif format_ == "json":
        for step in steps:
            say_json(step)
    else:
        now = time.time()
        rows = [
            (
                step["ID"] if no_trunc else short_id(step["ID"]),
                _age(step["CreatedAt"], now),
                step["CreatedBy"] if no_trunc else _cut(step["CreatedBy"]),
                human_size(step["Size"]),
                step["Comment"],
            )
            for step in steps
        ]
        say_table(("IMAGE", "CREATED", "CREATED BY", "SIZE", "COMMENT"), rows)
    return 0


def _inspected(image: ImageDetails) -> dict[str, Any]:
    config = image.config
    return {
        "Id": image.id,
        "RepoTags": list(image.references),
        "RepoDigests": list(image.digests),
        "Created": config.get("created", ""),
        "Architecture": config.get("architecture", ""),
        "Variant": config.get("variant", ""),
        "Os": config.get("os", ""),
        "Size": image.size,
        "Config": config.get("config", {}),
        "RootFS": {"Type": "layers", "Layers": config.get("rootfs", {}).get("diff_ids", [])},
        "Manifest": image.manifest,
        **({"Manifests": listed_platforms(image.platforms)} if image.platforms else {}),
    }


def _steps(image: ImageDetails) -> list[dict[str, Any]]:
    sizes = iter(image.layers)
    steps = [
        {
            "ID": "<missing>",
            "CreatedAt": step.get("created", ""),
            "CreatedBy": step.get("created_by", ""),
            "Size": 0 if step.get("empty_layer") else next(sizes, 0),
            "Comment": step.get("comment", ""),
        }
        for step in image.config.get("history", [])
    ]
    if steps:
        steps[-1]["ID"] = image.id
    return steps[::-1]


def _age(created: str, now: float) -> str:
    try:
        return f"{human_duration(now - datetime.fromisoformat(created).timestamp())} ago"
    except (ValueError, OverflowError):
        return "N/A"


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"
