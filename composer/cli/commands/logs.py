"""`compose logs`: what containers wrote."""

from __future__ import annotations

from typing import Annotated

import typer

from composer.api.streams import LogOptions
from composer.cli.app import command_app
from composer.cli.options import Services, number_of_lines, point_in_time
from composer.cli.render.logs import LogPrinter
from composer.cli.session import Session

app = command_app()


@app.command()
def logs(
    ctx: typer.Context,
    services: Services = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes")] = False,
    tail: Annotated[str, typer.Option("--tail", "-n", help="So many lines of each container, or all")] = "all",
    since: Annotated[str, typer.Option(help="From a time on, or `42m`")] = "",
    until: Annotated[str, typer.Option(help="Up to a time, or `42m`")] = "",
    timestamps: Annotated[bool, typer.Option("--timestamps", "-t", help="Show times")] = False,
    no_log_prefix: Annotated[bool, typer.Option("--no-log-prefix", help="Only the text")] = False,
    no_color: Annotated[bool, typer.Option("--no-color", help="No colours")] = False,
    index: Annotated[int, typer.Option(help="Only this replica")] = 0,
) -> int:
    """Show what containers wrote."""
    session: Session = ctx.obj
    options = LogOptions(
        services=session.check_services(services),
        tail=number_of_lines(tail),
        since=point_in_time(since, "--since"),
        until=point_in_time(until, "--until"),
        follow=follow,
    )
    screen = session.out
    screen.colour = screen.colour and not no_color
    printer = LogPrinter(screen, session.name, prefix=not no_log_prefix, timestamps=timestamps)
    printer.expect(
        container.name
        for container in session.client.containers(session.name, all_containers=True)
        if not container.one_off
        and (not options.services or container.service in options.services)
        and (not index or container.number == index)
    )
    stream = session.client.logs(session.name, options)
    try:
        while not stream.complete:
            screen.until_readable(stream.fileno())
            entries = (entry for entry in stream.poll() if not index or entry.number == index)
            screen.write(printer.render(entries))
    finally:
        stream.close()
    return 0
