"""`compose pull`: have the images of services as their registries have them now."""

from __future__ import annotations

from typing import Annotated

import typer

from composer.api.messages import PullRequest
from composer.cli.app import command_app
from composer.cli.follow import carry_out
from composer.cli.locking import Locked, locked_content
from composer.cli.options import DryRun, Services
from composer.cli.session import Session
from composer.errors import UsageError

app = command_app()


@app.command()
def pull(
    ctx: typer.Context,
    services: Services = None,
    policy: Annotated[str, typer.Option(metavar="POLICY", help="missing or always, whatever the file says")] = "",
    ignore_pull_failures: Annotated[
        bool, typer.Option("--ignore-pull-failures", help="Pull what can be pulled, and only warn of the rest")
    ] = False,
    ignore_buildable: Annotated[
        bool, typer.Option("--ignore-buildable", help="Leave out images that can be built")
    ] = False,
    include_deps: Annotated[bool, typer.Option("--include-deps", help="Pull for dependencies too")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Do not show progress")] = False,
    locked: Locked = False,
    dry_run: DryRun = False,
    parallel: Annotated[bool | None, typer.Option("--parallel/--no-parallel", hidden=True)] = None,
) -> int:
    """Pull the images of services."""
    session: Session = ctx.obj
    if parallel is not None:
        session.progress.notice(
            f"`--{'' if parallel else 'no-'}parallel` has no effect: layers of images come side by side"
        )
    if policy not in ("", "missing", "always"):
        raise UsageError(f"`--policy {policy}` is not known", hint="use missing or always")
    request = PullRequest(
        session.wire_project,
        session.loaded.origins.to_wire(),
        services=session.check_services(services),
        include_deps=include_deps,
        policy=policy,
        ignore_buildable=ignore_buildable,
        ignore_failures=ignore_pull_failures,
        dry_run=dry_run,
        surroundings=session.surroundings,
        lock=locked_content(session, locked=locked),
    )
    carry_out(session.quiet if quiet else session.progress, session.client.pull(session.name, request), dry_run=dry_run)
    return 0
