"""`compose port`: where a published port can be reached."""

from __future__ import annotations

from typing import Annotated

import typer

from composer.cli.app import command_app
from composer.cli.render.answer import say
from composer.cli.session import Session
from composer.errors import UsageError

app = command_app()


@app.command()
def port(
    ctx: typer.Context,
    service: Annotated[str, typer.Argument(metavar="SERVICE")],
    private_port: Annotated[str, typer.Argument(metavar="PORT[/PROTOCOL]")],
    protocol: Annotated[str, typer.Option(help="tcp or udp")] = "tcp",
    index: Annotated[int, typer.Option(help="Which replica")] = 0,
) -> int:
    """Print the public address of a published port."""
    session: Session = ctx.obj
    session.check_services([service])
    number, _, named = private_port.partition("/")
    protocol = named or protocol
    if not number.isdigit():
        raise UsageError(f"`{private_port}` is not a port", hint="write for instance `80` or `53/udp`")
    containers = [
        container
        for container in session.client.containers(session.name)
        if container.service == service and not container.one_off and (not index or container.number == index)
    ]
    if not containers:
        raise UsageError(f"service `{service}` is not running", hint=f"start it: `compose up -d {service}`")
    for publisher in containers[0].publishers:
        if publisher.target_port == int(number) and publisher.protocol == protocol and publisher.published_port:
            host = f"[{publisher.url}]" if ":" in publisher.url else publisher.url
            say(f"{host}:{publisher.published_port}")
            return 0
    raise UsageError(f"no port {number}/{protocol} is published for `{containers[0].name}`", hint="see `compose ps`")
