"""`# syntax=`, `# escape=` and `# check=`: comments that count, as long as nothing else has come before them.

<https://docs.docker.com/reference/dockerfile/#parser-directives>
"""

from __future__ import annotations

import re

from composer.build.dockerfile.instructions import Directives
from composer.build.dockerfile.problems import Problems
from composer.build.dockerfile.source import Source
from composer.build.dockerfile.spaces import SPACES
from composer.errors import Diagnostic, Severity

_DIRECTIVE = re.compile(r"#\s*([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(.+?)\s*")
_KNOWN = ("syntax", "escape", "check")
_OUR_FRONTEND = re.compile(
    r"(?:(?:index\.)?docker\.io/)?docker/(?:dockerfile|dockerfile-upstream)(?::(?:1|1\..*|latest|master|labs|stable|experimental))?"
    r"(?:@sha256:[0-9a-f]{64})?"
)


def read_directives(source: Source, problems: Problems) -> tuple[Directives, int]:
    """The directives, and the line (counted from 0) behind them."""
    values: dict[str, str] = {}
    lines: dict[str, int] = {}
    at = shebang = int(bool(source.lines) and source.lines[0].startswith("#!"))
    while at < len(source.lines):
        line = source.lines[at].strip(SPACES)
        match = _DIRECTIVE.fullmatch(line)
        name = match[1].lower() if match else ""
        if match is None or name not in _KNOWN:
            break
        at += 1
        if name in values:
            problems.add(f"only one `{name}` parser directive can be used", source.location(at, 1, len(line)))
        values[name] = match[2]
        lines[name] = at
    escape = "\\" if shebang else values.get("escape", "\\")
    if escape not in ("\\", "`"):
        message = f"`{escape}` is no escape character"
        problems.add(message, source.location(lines["escape"]), hint="write `\\` or a backtick")
        escape = "\\"
    syntax = values.get("syntax", "").split(" ")[0]
    return Directives(syntax, escape, values.get("check", ""), lines), at


def foreign_frontend(source: Source, directives: Directives) -> tuple[Diagnostic, ...]:
    """A warning if `# syntax=` names a frontend that is not Docker's own."""
    if not directives.syntax or _OUR_FRONTEND.fullmatch(directives.syntax):
        return ()
    place = source.location(directives.lines["syntax"])
    message = f"the frontend `{directives.syntax}` is not used: the file is read as Dockerfile syntax 1"
    hint = "instructions that only this frontend knows are errors"
    return (Diagnostic(Severity.WARNING, message, place, hint=hint),)
