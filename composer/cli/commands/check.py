"""`compose check`: mistakes that load."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from composer.cli.app import command_app
from composer.cli.options import check_format
from composer.cli.render.answer import say
from composer.cli.session import Session
from composer.errors import ProjectError

if TYPE_CHECKING:
    from composer.project.lint.finding import Finding, Rule

app = command_app()


@app.command()
def check(
    ctx: typer.Context,
    format_: Annotated[str, typer.Option("--format", help="text, json, sarif or github")] = "text",
) -> int:
    """Look for mistakes that load; exit code 1 if there is an error or a warning."""
    from composer.project.lint import report
    from composer.project.lint.finding import Level
    from composer.project.lint.rules import findings

    session: Session = ctx.obj
    check_format(format_, "text", "json", "sarif", "github")
    loaded = session.load()
    if loaded.obstacles:
        raise ProjectError(loaded.obstacles)
    found = findings(loaded)
    match format_:
        case "text":
            _show(session, found)
        case "json":
            say(*report.as_json(found).splitlines())
        case "sarif":
            say(*report.as_sarif(found).splitlines())
        case _:
            say(*report.as_github(found).splitlines())
    return int(any(rule.level is not Level.NOTE for rule, _ in found))


def _show(session: Session, found: list[tuple[Rule, Finding]]) -> None:
    from composer.cli.render.errors import show_diagnostics
    from composer.errors import Diagnostic, Severity

    severities = {"error": Severity.ERROR, "warning": Severity.WARNING, "note": Severity.NOTE}
    diagnostics = [
        Diagnostic(
            severities[rule.level.value],
            f"{finding.message} [{rule.code}]",
            finding.mark.location if finding.mark else None,
            hint=finding.fix,
        )
        for rule, finding in found
    ]
    show_diagnostics(session.out, diagnostics)
    if not found:
        say("nothing to say")
