"""Errors, diagnostics and warnings as the user reads them.

error: services.web.ports[1]: `8080:80/tpc` has an unknown protocol
  ┌ compose.yaml:14:9
  │
14│       - "8080:80/tpc"
  │                 ^^^ expected `tcp`, `udp` or `sctp`

hint: did you mean `tcp`?
"""

from __future__ import annotations

import os
import traceback
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from composer import errors
from composer.cli.directory import working_directory
from composer.cli.render.terminal import BLUE, BOLD, CYAN, RED, YELLOW, Screen, clean, clean_line, width_of
from composer.errors import ComposerError, Diagnostic, Location, ProjectError, Severity

REPORT_AT = "this is a bug in composer; report it with the lines above and what you ran"
_WIDEST = 160
"""Characters of a source line that are shown."""
_MOST_LINES = 12
"""Of an instruction."""
_COLOURS = {Severity.ERROR: RED, Severity.WARNING: YELLOW, Severity.NOTE: CYAN}


def show_error(screen: Screen, error: ComposerError) -> None:
    """Print an error; one that carries diagnostics prints each."""
    if isinstance(error, ProjectError):
        show_diagnostics(screen, error.diagnostics)
    else:
        show_diagnostics(screen, [Diagnostic(Severity.ERROR, error.message, error.location, hint=error.hint)])


def show_diagnostics(screen: Screen, diagnostics: Iterable[Diagnostic]) -> None:
    """Print diagnostics in the order given, a blank line between those that have a source line."""
    blocks = [_diagnostic(screen, diagnostic) for diagnostic in diagnostics]
    text = ""
    for index, block in enumerate(blocks):
        apart = index and ("\n" in block.rstrip("\n") or "\n" in blocks[index - 1].rstrip("\n"))
        text += ("\n" if apart else "") + block
    screen.write(text)


def show_warning(screen: Screen, message: str, hint: str = "") -> None:
    """Print one warning without a place."""
    show_diagnostics(screen, [Diagnostic(Severity.WARNING, message, hint=hint)])


def show_bug(screen: Screen, error: BaseException) -> None:
    """Print a failure nobody expected, with all that is needed to find it."""
    screen.write("".join(traceback.format_exception(error)) + f"\n{REPORT_AT}\n")


def _diagnostic(screen: Screen, diagnostic: Diagnostic) -> str:
    colour = _COLOURS[diagnostic.severity]
    first, *rest = diagnostic.message.splitlines() or [""]
    lines = [f"{screen.paint(diagnostic.severity.value, BOLD, colour)}: {clean(first)}", *map(clean_line, rest)]
    if diagnostic.location:
        lines += _excerpt(screen, _with_source(diagnostic.location), diagnostic.label, colour)
    if diagnostic.hint:
        lines += [""] if diagnostic.location else []
        first, *rest = diagnostic.hint.splitlines()
        lines += [f"{screen.paint('hint', BOLD, CYAN)}: {clean(first)}", *map(clean_line, rest)]
    return "\n".join(lines) + "\n"


def _with_source(location: Location) -> Location:
    """The place with its source line: what comes from the engine has none, since lines may hold secrets."""
    if location.source:
        return location
    try:
        lines = Path(location.file).read_text(errors="replace").splitlines()
    except OSError:
        return location
    meant = lines[location.line - 1 : location.line - 1 + location.lines]
    return replace(location, source="\n".join(meant)) if meant else location


def _excerpt(screen: Screen, location: errors.Location, label: str, colour: str) -> list[str]:
    number = str(location.line)
    margin = " " * max(len(number), 2)

    def bar(sign: str) -> str:
        return screen.paint(sign, BLUE)

    lines = [f"{margin}{bar('┌')} {clean(shown_path(location))}"]
    if "\n" in location.source:
        meant = location.source.split("\n")
        margin = " " * max(len(str(location.line + len(meant))), 2)
        lines += [f"{margin}{bar('│')}"]
        lines += [
            f"{screen.paint(str(each).rjust(len(margin)), BLUE)}{bar('│')} {_spaced(text[:_WIDEST]).rstrip()}"
            for each, text in enumerate(meant[:_MOST_LINES], location.line)
        ]
        return lines + ([f"{margin}{bar('│')} …"] if len(meant) > _MOST_LINES else [])
    location = _window(location)
    if location.source:
        before = location.source[: location.column - 1]
        marked = location.source[location.column - 1 : location.column - 1 + location.length]
        indent = " " * width_of(_spaced(before))
        caret = "^" * max(width_of(_spaced(marked)), 1)
        lines += [
            f"{margin}{bar('│')}",
            f"{screen.paint(number.rjust(len(margin)), BLUE)}{bar('│')} {_spaced(location.source).rstrip()}",
            f"{margin}{bar('│')} {indent}{screen.paint(f'{caret} {clean(label)}'.rstrip(), colour)}",
        ]
    return lines


def _window(location: Location) -> Location:
    """The place with no more of a long line than a reader looks at; the column stays the true one in the heading."""
    if len(location.source) <= _WIDEST:
        return location
    start = max(location.column - 1 - _WIDEST // 3, 0)
    piece = location.source[start : start + _WIDEST]
    source = f"{'…' if start else ''}{piece}{'…' if start + _WIDEST < len(location.source) else ''}"
    column = location.column - start + bool(start)
    return replace(location, source=source, column=column, length=min(location.length, len(source) - column + 1))


def _spaced(text: str) -> str:
    """A piece of source with tabs as wide as the caret line counts them."""
    return clean_line(text.replace("\t", "    "))


def shown_path(location: Location) -> str:
    """file:line:column, relative where the file lies under the working directory."""
    try:
        return f"{Path(location.file).relative_to(working_directory(os.environ))}:{location.line}:{location.column}"
    except (ValueError, OSError):
        return str(location)
