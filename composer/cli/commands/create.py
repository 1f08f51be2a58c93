"""`compose create`: everything `up` makes, nothing started."""

from __future__ import annotations

from typing import Annotated

import typer

from composer.api.messages import UpOptions, UpRequest
from composer.cli.app import command_app
from composer.cli.follow import carry_out
from composer.cli.locking import Locked, locked_content
from composer.cli.options import DryRun, Services, scale_of
from composer.cli.policies import build_mode, check_pull
from composer.cli.session import Session
from composer.errors import UsageError

app = command_app()


@app.command()
def create(
    ctx: typer.Context,
    services: Services = None,
    build: Annotated[bool, typer.Option("--build", help="Build images first")] = False,
    no_build: Annotated[bool, typer.Option("--no-build", help="Never build an image")] = False,
    pull: Annotated[str, typer.Option(metavar="POLICY", help="When to pull images")] = "policy",
    quiet_pull: Annotated[bool, typer.Option("--quiet-pull", help="Do not show how far pulls are")] = False,
    force_recreate: Annotated[
        bool, typer.Option("--force-recreate", help="Recreate even what has not changed")
    ] = False,
    no_recreate: Annotated[bool, typer.Option("--no-recreate", help="Leave what exists as it is")] = False,
    remove_orphans: Annotated[bool, typer.Option("--remove-orphans", help="Remove what is not in the file")] = False,
    scale: Annotated[list[str] | None, typer.Option(metavar="SERVICE=NUMBER", help="How many replicas")] = None,
    locked: Locked = False,
    dry_run: DryRun = False,
) -> int:
    """Create containers without starting them."""
    session: Session = ctx.obj
    if force_recreate and no_recreate:
        raise UsageError("`--force-recreate` and `--no-recreate` cannot be combined")
    named = session.check_services(services)
    mode = build_mode(asked=build, forbidden=no_build)
    check_pull(pull)
    numbers = scale_of(scale)
    session.check_services(list(numbers))
    options = UpOptions(
        services=named,
        force_recreate=force_recreate,
        no_recreate=no_recreate,
        no_start=True,
        remove_orphans=remove_orphans or session.says_yes("COMPOSE_REMOVE_ORPHANS"),
        scale=numbers,
        dry_run=dry_run,
        pull=pull,
        quiet_pull=quiet_pull,
        build=mode,
    )
    lock = locked_content(session, locked=locked)
    request = UpRequest(session.wire_project, session.loaded.origins.to_wire(), options, session.surroundings, lock)
    carry_out(session.progress, session.client.up(session.name, request), dry_run=dry_run)
    return 0
