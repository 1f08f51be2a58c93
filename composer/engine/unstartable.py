"""Why a program cannot be run, in words that help: what the kernel says is the same for very different mistakes. Pure."""

from __future__ import annotations

import errno

from composer.errors import ContainerError
from composer.keeper.program import NO_INTERPRETER, WINDOWS

_CARRIAGE_RETURN = "`sed -i 's/\\r$//'` mends the file, and `* text=auto eol=lf` in .gitattributes keeps git from it"
_INTERPRETER = "correct the first line, or have the interpreter in the image"
_LIKE_ON_LIKE = (
    "mount a directory on a directory and a file on a file; in the place of a missing file an empty directory is made: "
    "remove that, and write the file"
)
_WORDS = "check `command:` and `entrypoint:`; a string is split into words, no shell runs it"
_ONE_BY_ONE = "write the words one by one: no shell splits them"
_EXECUTABLE = "`chmod +x` it in the image or on the host; a script needs a `#!` line whose program is there"


def why_not_started(error: ContainerError, program: str, image: str) -> tuple[str, str]:
    """What is wrong with a container's program, and a hint; for errors of another kind their own."""
    return _why_not(error, program, f"in the image `{image}`", _WORDS)


def why_not_run(error: ContainerError, program: str) -> tuple[str, str]:
    """The same for a program that is to run in a container."""
    return _why_not(error, program, "in the container", _ONE_BY_ONE if " " in program else "")


def _why_not(error: ContainerError, program: str, place: str, hint: str) -> tuple[str, str]:
    if error.step in ("Bind", "Stack", "Files") and error.errno in (errno.ENOTDIR, errno.EISDIR):
        return error.message, error.hint or _LIKE_ON_LIKE
    detail = error.message.removeprefix(f"start `{program}`: ")
    if error.errno == NO_INTERPRETER:
        message = f"`{program}` cannot be executed: {detail.removesuffix(f' ({program})')}"
        return message, error.hint or (_CARRIAGE_RETURN if WINDOWS in detail else _INTERPRETER)
    if error.exit_code == 127:
        return f"`{program}` is not {place}", error.hint or hint
    if error.exit_code == 126:
        return f"`{program}` cannot be executed ({detail.rpartition(': ')[2]})", error.hint or _EXECUTABLE
    return error.message, error.hint
