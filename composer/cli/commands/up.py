"""`compose up`: bring the project to what its file says, attached or not."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

import typer

from composer.api.messages import UpOptions, UpRequest, WatchRequest
from composer.cli.app import command_app
from composer.cli.follow import carry_out, follow
from composer.cli.locking import Locked, locked_content
from composer.cli.options import DryRun, Services, Timeout, scale_of
from composer.cli.policies import build_mode, check_pull
from composer.cli.session import Session
from composer.errors import UsageError

app = command_app()


@app.command()
def up(
    ctx: typer.Context,
    services: Services = None,
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Return once everything has started")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Return once everything is running or healthy")] = False,
    wait_timeout: Annotated[float | None, typer.Option(metavar="SECONDS", help="How long to wait at most")] = None,
    build: Annotated[bool, typer.Option("--build", help="Build images first")] = False,
    no_build: Annotated[bool, typer.Option("--no-build", help="Never build an image")] = False,
    pull: Annotated[
        str, typer.Option(metavar="POLICY", help="When to pull images: always, missing, never, policy")
    ] = "policy",
    quiet_pull: Annotated[bool, typer.Option("--quiet-pull", help="Do not show how far pulls are")] = False,
    quiet_build: Annotated[bool, typer.Option("--quiet-build", help="Do not show the steps of builds")] = False,
    force_recreate: Annotated[
        bool, typer.Option("--force-recreate", help="Recreate even what has not changed")
    ] = False,
    no_recreate: Annotated[bool, typer.Option("--no-recreate", help="Leave what exists as it is")] = False,
    always_recreate_deps: Annotated[
        bool, typer.Option("--always-recreate-deps", help="Recreate dependencies too")
    ] = False,
    no_deps: Annotated[bool, typer.Option("--no-deps", help="Only the named services")] = False,
    no_start: Annotated[bool, typer.Option("--no-start", help="Create, do not start")] = False,
    remove_orphans: Annotated[bool, typer.Option("--remove-orphans", help="Remove what is not in the file")] = False,
    renew_anon_volumes: Annotated[
        bool, typer.Option("--renew-anon-volumes", "-V", help="New anonymous volumes instead of the old")
    ] = False,
    scale: Annotated[list[str] | None, typer.Option(metavar="SERVICE=NUMBER", help="How many replicas")] = None,
    timeout: Timeout = None,
    abort_on_container_exit: Annotated[
        bool, typer.Option("--abort-on-container-exit", help="Stop all when one container ends")
    ] = False,
    abort_on_container_failure: Annotated[
        bool, typer.Option("--abort-on-container-failure", help="Stop all when one container fails")
    ] = False,
    exit_code_from: Annotated[str, typer.Option(metavar="SERVICE", help="Exit with this service's code")] = "",
    attach: Annotated[list[str] | None, typer.Option(metavar="SERVICE", help="Attach only to these")] = None,
    no_attach: Annotated[list[str] | None, typer.Option(metavar="SERVICE", help="Do not attach to these")] = None,
    attach_dependencies: Annotated[
        bool, typer.Option("--attach-dependencies", help="Attach to dependencies too")
    ] = False,
    no_log_prefix: Annotated[bool, typer.Option("--no-log-prefix", help="Only the text of logs")] = False,
    no_color: Annotated[bool, typer.Option("--no-color", help="No colours in logs")] = False,
    timestamps: Annotated[bool, typer.Option("--timestamps", help="Show times of logs")] = False,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Keep containers up to date with the files")] = False,
    locked: Locked = False,
    dry_run: DryRun = False,
    _menu: Annotated[bool, typer.Option("--menu", hidden=True)] = False,
    _yes: Annotated[bool, typer.Option("--yes", "-y", hidden=True)] = False,
) -> int:
    """Create and start containers."""
    session: Session = ctx.obj
    stays = bool(
        abort_on_container_exit or abort_on_container_failure or exit_code_from or attach or attach_dependencies
    )
    _check(detach=detach or wait, stays=stays, force_recreate=force_recreate, no_recreate=no_recreate)
    named = session.check_services(services)
    mode = build_mode(asked=build, forbidden=no_build)
    check_pull(pull)
    for option in (attach, no_attach, [exit_code_from] if exit_code_from else None):
        session.check_services(option)
    options = UpOptions(
        services=named,
        force_recreate=force_recreate,
        no_recreate=no_recreate,
        no_deps=no_deps,
        no_start=no_start,
        remove_orphans=remove_orphans or session.says_yes("COMPOSE_REMOVE_ORPHANS"),
        renew_anonymous_volumes=renew_anon_volumes,
        always_recreate_deps=always_recreate_deps,
        scale=_checked_scale(session, scale),
        timeout=timeout,
        wait=wait,
        wait_timeout=wait_timeout,
        dry_run=dry_run,
        pull=pull,
        quiet_pull=quiet_pull,
        build=mode,
        quiet_build=quiet_build,
    )
    session.mention_neighbour(session.name)
    lock = locked_content(session, locked=locked)
    request = UpRequest(session.wire_project, session.loaded.origins.to_wire(), options, session.surroundings, lock)
    if detach or wait or no_start or dry_run:
        carry_out(session.progress, session.client.up(session.name, request), dry_run=dry_run)
        if watch and not no_start and not dry_run:
            follow(
                session.progress,
                session.client.watch(session.name, _watch_request(session, options, lock, detach=True)),
            )
        return 0

    from composer.cli.foreground import Foreground, ForegroundOptions

    session.out.colour = session.out.colour and not no_color
    return Foreground(
        session,
        ForegroundOptions(
            services=_attached(session, named, attach, no_attach, dependencies=attach_dependencies and not no_deps),
            stop=named,
            optional=_completing(session),
            abort_on_exit=abort_on_container_exit or bool(exit_code_from),
            abort_on_failure=abort_on_container_failure,
            exit_code_from=exit_code_from,
            timeout=timeout,
            prefix=not no_log_prefix,
            timestamps=timestamps,
            watch=_watch_request(session, options, lock) if watch else None,
        ),
    ).run(request)


def _watch_request(session: Session, options: UpOptions, lock: dict[str, Any], *, detach: bool = False) -> WatchRequest:
    from composer.cli.watching import watch_request

    # What this once was told to do anew is not to be done anew for every change.
    once = replace(options, force_recreate=False, renew_anonymous_volumes=False, always_recreate_deps=False, wait=False)
    return watch_request(session, replace(once, pull="policy", build="auto"), lock, detach=detach)


def _check(*, detach: bool, stays: bool, force_recreate: bool, no_recreate: bool) -> None:
    """Refuse options that contradict each other. Raises UsageError."""
    if detach and stays:
        raise UsageError(
            "`--detach` and `--wait` cannot be combined with `--abort-on-container-exit`, `--exit-code-from` or `--attach`"
        )
    if force_recreate and no_recreate:
        raise UsageError("`--force-recreate` and `--no-recreate` cannot be combined")


def _checked_scale(session: Session, values: list[str] | None) -> dict[str, int]:
    numbers = scale_of(values)
    session.check_services(list(numbers))
    return numbers


def _attached(
    session: Session, named: tuple[str, ...], only: list[str] | None, never: list[str] | None, *, dependencies: bool
) -> tuple[str, ...]:
    """Whose logs are shown: those named on the command line, or all, as `--attach` and the file allow."""
    services = {**session.project.services, **session.project.disabled}
    chosen = list(only or named or session.project.services)
    if dependencies:
        for name in chosen:  # grows while we walk it: dependencies of dependencies
            chosen += [each for each in services[name].depends_on if each in services and each not in chosen]
    return tuple(name for name in chosen if name not in (never or ()) and (only or services[name].attach))


def _completing(session: Session) -> frozenset[str]:
    """The services that others wait for to complete: their end is no reason to stop."""
    return frozenset(
        name
        for service in session.project.services.values()
        for name, dependency in service.depends_on.items()
        if dependency.condition == "service_completed_successfully"
    )
