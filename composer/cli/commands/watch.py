"""`compose watch`: bring the project up and keep its containers up to date with the files on disk."""

from __future__ import annotations

from typing import Annotated

import typer

from composer.api.messages import UpOptions, UpRequest
from composer.cli.app import command_app
from composer.cli.follow import follow
from composer.cli.options import Services, check_format
from composer.cli.render.answer import say, say_json
from composer.cli.session import Session
from composer.errors import UsageError

app = command_app()


@app.command()
def watch(
    ctx: typer.Context,
    services: Services = None,
    no_up: Annotated[bool, typer.Option("--no-up", help="Do not start services first")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Do not show how services start and images are built")] = False,
    prune: Annotated[bool, typer.Option("--prune/--no-prune", help="Remove images that rebuilds replace")] = True,
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Watch on without this terminal")] = False,
    status: Annotated[bool, typer.Option("--status", help="Show how the watch stands")] = False,
    stop: Annotated[bool, typer.Option("--stop", help="End a watch that goes on by itself")] = False,
    verify: Annotated[bool, typer.Option("--verify", help="Compare containers with the files by content")] = False,
    format_: Annotated[str, typer.Option("--format", help="table or json, for --status")] = "table",
) -> int:
    """Keep containers up to date with the files on disk."""
    session: Session = ctx.obj
    check_format(format_, "table", "json")
    if sum((status, stop, verify)) > 1:
        raise UsageError("`--status`, `--stop` and `--verify` cannot be combined")
    if status:
        return _status(session, as_json=format_ == "json")
    if stop:
        say("the watch has ended" if session.client.stop_watch(session.name) else "nobody watched")
        return 0
    if verify:
        return _verify(session)

    from composer.cli.locking import locked_content
    from composer.cli.watching import follow_watch, watch_request

    named = session.check_services(services)
    options = UpOptions(services=named)
    progress = session.quiet if quiet else session.progress
    lock = locked_content(session)
    request = watch_request(session, options, lock, detach=detach, prune=prune)
    if not no_up:
        up = UpRequest(session.wire_project, session.loaded.origins.to_wire(), options, session.surroundings, lock)
        follow(progress, session.client.up(session.name, up))
    if detach:
        follow(progress, session.client.watch(session.name, request))
        return 0
    return follow_watch(session, request)


def _status(session: Session, *, as_json: bool) -> int:
    from composer.api.codec import encode
    from composer.cli.render.watch import watch_status

    status = session.client.watch_status(session.name)
    if as_json:
        say_json(encode(status))
    elif status is None:
        say("nobody watches this project; `compose watch` or `compose up -d --watch` begins")
    else:
        session.out.write(watch_status(session.out, status))
    return 0


def _verify(session: Session) -> int:
    differences = session.client.verify_watch(session.name)
    for difference in differences:
        say(difference)
    if not differences:
        say("in sync: every running container has what is on disk")
    return 1 if differences else 0
