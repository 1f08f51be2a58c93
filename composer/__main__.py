"""`compose`: runs a command and turns every way it can end into an exit code and, where something went wrong, words.

0    done            1    an expected failure, rendered        14-16  a file that is missing or wrong, a wrong command line
130  Ctrl-C          143  SIGTERM                              others what a container or command exited with
"""

from __future__ import annotations

import gc
import io
import os
import sys
from collections.abc import Sequence
from typing import Any

USAGE = 16  # Docker Compose's code for a command line that does not parse
INTERRUPTED = 130

_MANY_OBJECTS = 50_000
"""Imports make about as many objects, and nearly no garbage: looking for it among them costs a tenth of a short command."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line; the exit code. Nothing but a broken interpreter escapes as an exception.

    Without `arguments` it is this process's own, which ends with it.
    """
    if arguments is not None:
        return _guarded(arguments)
    gc.set_threshold(_MANY_OBJECTS, 20, 100)
    try:
        return _guarded(sys.argv[1:])
    finally:
        gc.freeze()  # the interpreter, on its way out, need not look through everything again


def _guarded(arguments: Sequence[str]) -> int:
    _make_streams_sturdy()
    try:
        code = _run(list(arguments))
        sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of our output has gone. What is still buffered must not raise again when the interpreter ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    except Exception as error:  # what is left is a bug, and is told as one
        return _tell(error)
    return code


def _make_streams_sturdy() -> None:
    """What a terminal cannot show must not end a command, and neither must a closed stdout (`>&-`)."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115, PTH123  open for as long as we live
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _run(arguments: list[str]) -> int:
    import typer

    from composer.cli.app import root_command

    command = root_command()
    try:
        with command.make_context("compose", arguments) as context:
            code = command.invoke(context)
            return code if isinstance(code, int) else 0
    except typer.Exit as end:
        return end.exit_code
    except _wrong_command_line() as error:
        error.show()
        return USAGE


def _wrong_command_line() -> Any:
    """click's base class of usage errors; typer carries click inside since 0.20, and names only some of its classes."""
    import typer

    return next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException")


def _tell(error: Exception) -> int:
    """Print an error where errors go; its exit code."""
    from composer.cli.render.errors import show_bug, show_error
    from composer.cli.render.terminal import Screen
    from composer.errors import ComposerError, HostError

    screen = Screen.of(sys.stderr, os.environ, os.environ.get("COMPOSE_ANSI", "auto"))
    told = error if isinstance(error, ComposerError) else HostError.of(error)
    if told is not None:
        show_error(screen, told)
        return told.exit_code
    show_bug(screen, error)
    return 1


if __name__ == "__main__":
    sys.exit(main())
