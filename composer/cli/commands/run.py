"""`compose run`: a one-off container of a service, its dependencies brought up first."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from composer.api.messages import RunRequest
from composer.cli.app import command_app
from composer.cli.attach import Streams, converse, start_only
from composer.cli.follow import follow
from composer.cli.locking import Locked, locked_content
from composer.cli.oneoff import entrypoint_of, labels_of, mount_of, ports_of, variables_of
from composer.cli.options import Environment, variables
from composer.cli.policies import build_mode, check_pull
from composer.cli.render.answer import say
from composer.cli.session import Session
from composer.errors import UsageError

app = command_app(allow_interspersed_args=False)


@app.command()
def run(
    ctx: typer.Context,
    service: Annotated[str, typer.Argument(metavar="SERVICE")],
    command: Annotated[list[str] | None, typer.Argument(metavar="COMMAND", show_default=False)] = None,
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Do not attach; print the container's id")] = False,
    remove: Annotated[bool, typer.Option("--rm", help="Remove the container when it ends")] = False,
    no_tty: Annotated[bool, typer.Option("--no-tty", "--no-TTY", "-T", help="No terminal for the command")] = False,
    interactive: Annotated[bool, typer.Option("--interactive/--no-interactive", "-i", help="Keep stdin open")] = True,
    env: Environment = None,
    env_from_file: Annotated[
        list[str] | None, typer.Option("--env-from-file", metavar="FILE", help="Set the variables of a file")
    ] = None,
    label: Annotated[list[str] | None, typer.Option("--label", "-l", metavar="KEY[=VALUE]", help="Add a label")] = None,
    cap_add: Annotated[list[str] | None, typer.Option(metavar="NAME", help="Add a capability")] = None,
    cap_drop: Annotated[list[str] | None, typer.Option(metavar="NAME", help="Take a capability away")] = None,
    user: Annotated[str, typer.Option("--user", "-u", metavar="USER[:GROUP]", help="Run as this user")] = "",
    workdir: Annotated[str, typer.Option("--workdir", "-w", metavar="PATH", help="Run in this directory")] = "",
    entrypoint: Annotated[str | None, typer.Option(metavar="COMMAND", help="Instead of the entrypoint")] = None,
    volume: Annotated[list[str] | None, typer.Option("--volume", "-v", metavar="VOLUME", help="Add a mount")] = None,
    publish: Annotated[list[str] | None, typer.Option("--publish", "-p", metavar="PORT", help="Publish a port")] = None,
    service_ports: Annotated[bool, typer.Option("--service-ports", "-P", help="Publish the service's ports")] = False,
    use_aliases: Annotated[bool, typer.Option("--use-aliases", help="Take the service's network aliases")] = False,
    name: Annotated[str, typer.Option(help="Name the container")] = "",
    no_deps: Annotated[bool, typer.Option("--no-deps", help="Do not start dependencies")] = False,
    remove_orphans: Annotated[bool, typer.Option("--remove-orphans", help="Remove what is not in the file")] = False,
    build: Annotated[bool, typer.Option("--build", help="Build the image first")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show only what the command writes")] = False,
    quiet_pull: Annotated[bool, typer.Option("--quiet-pull", help="Do not show how far pulls are")] = False,
    quiet_build: Annotated[bool, typer.Option("--quiet-build", help="Do not show the steps of builds")] = False,
    pull: Annotated[str, typer.Option(metavar="POLICY", help="When to pull the image")] = "policy",
    locked: Locked = False,
    _tty: Annotated[bool, typer.Option("--tty", "-t", hidden=True)] = False,
) -> int:
    """Run a one-off command on a service."""
    session: Session = ctx.obj
    session.check_services([service])
    mode = build_mode(asked=build)
    check_pull(pull)
    if publish and service_ports:
        raise UsageError("`--publish` and `--service-ports` cannot be combined")
    tty = not no_tty and not detach and os.isatty(0) and os.isatty(1)
    request = RunRequest(
        project=session.wire_project,
        origins=session.loaded.origins.to_wire(),
        service=service,
        command=tuple(command) if command else None,
        entrypoint=entrypoint_of(entrypoint),
        environment=(*variables_of(env_from_file or (), session.environment), *variables(env, session.environment)),
        labels=labels_of(label or ()),
        cap_add=tuple(cap_add or ()),
        cap_drop=tuple(cap_drop or ()),
        user=user,
        working_dir=workdir,
        volumes=tuple(mount_of(each) for each in volume or ()),
        publish=tuple(port for each in publish or () for port in ports_of(each)),
        service_ports=service_ports,
        use_aliases=use_aliases,
        name=name,
        tty=tty,
        stdin=interactive and not detach,
        no_deps=no_deps,
        remove=remove,
        remove_orphans=remove_orphans,
        pull=pull,
        build=mode,
        quiet_pull=quiet_pull or quiet,
        quiet_build=quiet_build or quiet,
        surroundings=session.surroundings,
        lock=locked_content(session, locked=locked),
    )
    created = follow(session.quiet if quiet else session.progress, session.client.run(session.name, request)).container
    if detach:
        start_only(session.client.attach(created, start=True, stdin=False, logs=False))
        say(created)
        return 0
    return converse(
        lambda: session.client.attach(created, start=True, stdin=interactive, logs=True),
        Streams(stdin=0 if interactive else -1, tty=tty),
    )
