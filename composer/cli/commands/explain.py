"""`compose explain PATH`: where a value of the project comes from."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from composer.cli.app import command_app
from composer.cli.options import check_format
from composer.cli.render.answer import say
from composer.cli.render.errors import shown_path
from composer.cli.session import Session

if TYPE_CHECKING:
    from composer.project.explain import Explanation, Said

app = command_app()


@app.command()
def explain(
    ctx: typer.Context,
    path: Annotated[str, typer.Argument(metavar="PATH", help="Such as services.web.environment.DEBUG")],
    format_: Annotated[str, typer.Option("--format", help="text or json")] = "text",
) -> int:
    """Say which file, line and variable a value comes from, and what lost against it."""
    from composer.project.explain import explain as find
    from composer.project.explain import to_json

    session: Session = ctx.obj
    check_format(format_, "text", "json")
    explanation = find(session.load(), path)
    if format_ == "json":
        say(*json.dumps(to_json(explanation), indent=2, ensure_ascii=False).splitlines())
    else:
        say(*_lines(explanation))
    return 0


def _lines(explanation: Explanation) -> list[str]:
    from composer.project.document import say as spelled

    lines = [f"{spelled(explanation.path)}: {_short(explanation.value)}"]
    for number, said in enumerate(explanation.said):
        # Lists and mappings are put together, anything else is replaced.
        other = "and" if isinstance(said.value, dict | list) else "over"
        lines += _place(other if number else "from", said)
    return [*lines, f"  {explanation.note}"] if explanation.note else lines


def _place(word: str, said: Said) -> list[str]:
    how = f" ({said.how})" if said.how else ""
    written = _short(said.template or said.value)
    lines = [f"  {word}  {shown_path(said.location)}{how}  {written}"]
    lines += [f"        {use.name} from {use.source}" + (f", over {use.over}" if use.over else "") for use in said.uses]
    return lines


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 100 else text[:99] + "…"
