"""Rendering: the only door to jinja2, and a program of its own that renders one template and ends.

A template is somebody's file: it is rendered in a sandbox, in a child process with limits of time and memory, from data
that went in as JSON. `{% include %}` and its like find nothing. What is not defined is an error, never an empty string.

    parent  --{template, facts}-->  child: composer.project.templates  --{text} or {message, line}-->  parent
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from composer.errors import Diagnostic, Location, ProjectError, Severity
from composer.keeper import launch

if TYPE_CHECKING:
    from jinja2 import Environment

    from composer.project.model import File

SECONDS = 5
"""Of CPU time: a template cannot wait for anything."""
_ON_THE_CLOCK = 60
"""Seconds that a machine with much else to do may take over that."""
MEMORY = 512 << 20
"""Bytes of address space, the interpreter's own included."""
LARGEST = 1 << 20
"""Bytes of output."""


def render(template: str, where: str, facts: dict[str, Any]) -> str:
    """What the template makes of `facts`; `where` is what errors call it.

    Raises:
        ProjectError: it cannot be rendered; names the template's line.
    """
    command = launch.command(__name__, packages=True)
    data = json.dumps({"template": template, "facts": facts}).encode("utf-8", "surrogateescape")
    try:
        done = subprocess.run(command, input=data, capture_output=True, timeout=_ON_THE_CLOCK, check=False)
        answer = json.loads(done.stdout)
    except (subprocess.TimeoutExpired, ValueError):
        # The kernel ended it (SIGXCPU), we did, or there was no memory left to answer with.
        answer = {"message": f"it needs more than {SECONDS} seconds or {MEMORY >> 20} MiB", "line": 0}
    if "text" in answer:
        return str(answer["text"])
    lines, line = template.splitlines(), answer["line"]
    source = lines[line - 1] if 0 < line <= len(lines) else ""
    place = Location(where, line, len(source) - len(source.lstrip()) + 1, max(len(source.strip()), 1), source)
    message = f"cannot render {where}: {answer['message']}"
    raise ProjectError([Diagnostic(Severity.ERROR, message, place if line else None, hint=answer.get("hint", ""))])


def fill(template: str, facts: dict[str, Any]) -> str:
    """What one of our own templates makes of `facts`: here, in this process."""
    return str(_environment().from_string(template).render(facts))


def place_of(kind: str, file: File) -> str:
    """What errors call a template: its file, or its place in the project."""
    return file.file or f"{kind}s.{file.key}.content"


def template_of(file: File, content: bytes) -> str:
    """The text of a template; `content` is what its file holds, for one that has a file.

    Raises:
        ProjectError: it is not UTF-8.
    """
    try:
        return content.decode() if file.file else file.content or ""
    except UnicodeDecodeError as error:
        message = f"cannot render `{file.file}`: it is not UTF-8"
        raise ProjectError([Diagnostic(Severity.ERROR, message)]) from error


def main() -> None:
    """Render what stands on standard input, as the child."""
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    asked = json.load(sys.stdin)
    json.dump(_rendered(asked["template"], asked["facts"]), sys.stdout)


def _environment() -> Environment:
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    # No autoescape: these are configuration files, not HTML.
    return ImmutableSandboxedEnvironment(
        undefined=StrictUndefined, keep_trailing_newline=True, trim_blocks=True, lstrip_blocks=True
    )


def _rendered(template: str, facts: dict[str, Any]) -> dict[str, Any]:
    from jinja2 import TemplateError

    environment = _environment()
    try:
        text = ""
        for piece in environment.from_string(template).generate(facts):
            text += piece
            if len(text) > LARGEST:
                return {"message": f"it grows larger than {LARGEST >> 10} KiB", "line": 0}
    except MemoryError:
        raise
    except TemplateError as error:
        return {"message": error.message or type(error).__name__, "line": _line(error)}
    except Exception as error:  # whatever an expression in it leads to
        return {"message": str(error) or type(error).__name__, "line": _line(error)}
    return {"text": text}


def _line(error: Exception) -> int:
    """The template's line that the error is about, the innermost; 0 where none is known."""
    line = getattr(error, "lineno", None) or 0
    step = error.__traceback__
    while step is not None:
        if step.tb_frame.f_code.co_filename == "<template>":
            line = step.tb_lineno
        step = step.tb_next
    return int(line)


if __name__ == "__main__":
    main()
