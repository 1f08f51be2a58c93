"""`compose build`: the images that services describe with `build`."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from composer import __version__
from composer.api.messages import BuildFlags, BuildRequest
from composer.cli.app import command_app
from composer.cli.follow import carry_out
from composer.cli.locking import Locked, locked_content
from composer.cli.options import DryRun, Services, variables
from composer.cli.render.answer import say
from composer.cli.session import Session
from composer.errors import UsageError

app = command_app()


@app.command()
def build(
    ctx: typer.Context,
    services: Services = None,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Run every step again")] = False,
    pull: Annotated[bool, typer.Option("--pull", help="Look for newer base images")] = False,
    build_arg: Annotated[
        list[str] | None, typer.Option("--build-arg", metavar="KEY[=VALUE]", help="Set a build argument")
    ] = None,
    ssh: Annotated[
        list[str] | None, typer.Option(metavar="ID[=PATH]", help="An SSH agent or key for RUN --mount=type=ssh")
    ] = None,
    with_dependencies: Annotated[
        bool, typer.Option("--with-dependencies", help="Build what the services depend on, too")
    ] = False,
    push: Annotated[bool, typer.Option("--push", help="Push the images that have a name of their own")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show nothing but what goes wrong")] = False,
    print_: Annotated[bool, typer.Option("--print", help="Print the builds as a file for `buildx bake`")] = False,
    check: Annotated[bool, typer.Option("--check", help="Only check the Dockerfiles by BuildKit's rules")] = False,
    why: Annotated[bool, typer.Option("--why", help="Say of each step that was run what invalidated it")] = False,
    verify_reproducible: Annotated[
        bool, typer.Option("--verify-reproducible", help="Build twice and name the first file that differs")
    ] = False,
    locked: Locked = False,
    dry_run: DryRun = False,
    progress: Annotated[
        str, typer.Option(metavar="MODE", help="How to show progress: auto, tty, plain, json, quiet")
    ] = "",
    memory: Annotated[str, typer.Option("--memory", "-m", hidden=True)] = "",
    builder: Annotated[str, typer.Option(hidden=True)] = "",
    provenance: Annotated[str, typer.Option(hidden=True)] = "",
    sbom: Annotated[str, typer.Option(hidden=True)] = "",
    parallel: Annotated[bool, typer.Option("--parallel", hidden=True)] = False,
    compress: Annotated[bool, typer.Option("--compress", hidden=True)] = False,
    force_rm: Annotated[bool, typer.Option("--force-rm", hidden=True)] = False,
    no_rm: Annotated[bool, typer.Option("--no-rm", hidden=True)] = False,
) -> int:
    """Build the images of services."""
    session: Session = ctx.obj
    named = session.check_services(services)
    for option, value, reason in (
        ("--memory", memory, "steps of a build may use what this machine has"),
        ("--builder", builder, "there is one builder, the engine's own"),
        ("--provenance", provenance, "attestations are not made"),
        ("--sbom", sbom, "attestations are not made"),
        ("--parallel", parallel, "services are built side by side"),
        ("--compress", compress, "the context is read where it is"),
        ("--force-rm", force_rm, "nothing is left of a step"),
        ("--no-rm", no_rm, "nothing is left of a step"),
    ):
        if value:
            session.progress.notice(f"`{option}` has no effect: {reason}")
    flags = BuildFlags(
        no_cache=no_cache,
        pull=pull,
        args=dict(each.split("=", 1) for each in variables(build_arg, session.environment) if "=" in each),
        ssh=dict(_ssh(each) for each in ssh or ()),
        verify=verify_reproducible,
    )
    if print_:
        return _print(session, named, flags, push=push, check=check)
    request = BuildRequest(
        project=session.wire_project,
        origins=session.loaded.origins.to_wire(),
        services=named,
        with_dependencies=with_dependencies,
        flags=flags,
        push=push,
        dry_run=dry_run,
        surroundings=session.surroundings,
        lock=locked_content(session, locked=locked),
    )
    if check:
        return _check(session, request)

    from composer.cli.render.built import Built
    from composer.cli.render.events import choose_progress

    shown = session.quiet if quiet else choose_progress(progress, session.err) if progress else session.progress
    built = Built()
    carry_out(shown, session.client.build(session.name, request), built.count, dry_run=dry_run)
    if not dry_run and shown.interval is not None:  # the others are for programs
        session.err.write(built.summary(session.err, why=why))
    return 0


def _ssh(value: str) -> tuple[str, str]:
    """`default`, or `ID=PATH`."""
    name, equals, path = value.partition("=")
    if not name or (equals and not path):
        raise UsageError(f"`--ssh {value}` names no agent or key", hint="write `default` or `ID=PATH`")
    return name, path


def _print(session: Session, named: tuple[str, ...], flags: BuildFlags, *, push: bool, check: bool) -> int:
    from composer.project.bake import bake

    labels = {"com.docker.compose.project": session.project.name, "com.docker.compose.version": __version__}
    asked = {"args": flags.args, "ssh": flags.ssh, "pull": flags.pull, "no_cache": flags.no_cache}
    data = bake(session.project, named or session.project.services, labels, push=push, check=check, **asked)
    say(json.dumps(data, indent=2, ensure_ascii=False))
    return 0


def _check(session: Session, request: BuildRequest) -> int:
    """BuildKit's lint rules; 1 when they find anything, as `docker build --check` says it."""
    from composer.cli.render.errors import show_diagnostics
    from composer.errors import Diagnostic, Location, Severity

    found = session.client.check_build(session.name, request)
    show_diagnostics(
        session.out,
        [
            Diagnostic(
                Severity(each.severity),
                f"{each.message} [{each.rule}]" if each.rule else each.message,
                Location(each.file, each.line, each.column, each.length, each.source) if each.line else None,
                hint=each.hint,
            )
            for each in found
        ],
    )
    if not found:
        say("nothing to say")
    return 1 if found else 0
