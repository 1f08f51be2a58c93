"""Signals by name and number (`signal(7)`), and what an exit status says."""

from __future__ import annotations

import difflib
import re
import signal

from composer.errors import ContainerError

_BY_NAME = {name: item.value for name, item in signal.Signals.__members__.items()}  # aliases (SIGCLD) too
_FIRST_REALTIME, _LAST_REALTIME = int(signal.SIGRTMIN), int(signal.SIGRTMAX)
_REALTIME = re.compile(r"SIGRT(MIN|MAX)(?:([+-])(\d{1,2}))?", re.ASCII)

_SENTENCES = {
    signal.SIGABRT: "aborted itself",
    signal.SIGBUS: "crashed (bus error)",
    signal.SIGFPE: "crashed (arithmetic error)",
    signal.SIGHUP: "was hung up",
    signal.SIGILL: "crashed (illegal instruction)",
    signal.SIGINT: "was interrupted",
    signal.SIGKILL: "was killed",
    signal.SIGPIPE: "wrote to a closed pipe",
    signal.SIGSEGV: "crashed (segmentation fault)",
    signal.SIGSYS: "used a forbidden system call",
    signal.SIGTERM: "was told to stop",
}


def number(text: str) -> int:
    """The number of `SIGTERM`, `TERM`, `term`, `15`, `RTMIN+3` or `SIGRTMAX-1`.

    Raises:
        ContainerError: no such signal; near names as the hint.
    """
    if text.isascii() and text.isdecimal():
        if 1 <= int(text) <= _LAST_REALTIME:
            return int(text)
        raise ContainerError(f"`{text}` is no signal", hint=f"signals go from 1 to {_LAST_REALTIME}")
    name = text.upper() if text.upper().startswith("SIG") else f"SIG{text.upper()}"
    if name in _BY_NAME:
        return _BY_NAME[name]
    if match := _REALTIME.fullmatch(name):
        base = _FIRST_REALTIME if match[1] == "MIN" else _LAST_REALTIME
        found = base + int(f"{match[2] or '+'}{match[3] or 0}")
        if _FIRST_REALTIME <= found <= _LAST_REALTIME:
            return found
    near = difflib.get_close_matches(name, _BY_NAME, n=2)
    hint = f"did you mean {' or '.join(f'`{item}`' for item in near)}?" if near else "see signal(7) for their names"
    raise ContainerError(f"`{text}` is no signal", hint=hint)


def name(value: int) -> str:
    """`SIGTERM` for 15; `SIGRTMIN+3` for a real-time signal, and the number itself for what has no name."""
    if _FIRST_REALTIME < value < _LAST_REALTIME:
        return f"SIGRTMIN+{value - _FIRST_REALTIME}"
    try:
        return signal.Signals(value).name
    except ValueError:
        return str(value)


def meaning(status: int, *, out_of_memory: bool = False) -> str:
    """What an exit status says, as the end of a sentence about the container: `exited with 3`, `was killed (137)`."""
    if status < 0:
        return "ended, and nobody was there to see how"
    if out_of_memory:
        return f"ran out of memory and was killed ({status})"
    if status == 125:
        return "could not be started (125)"
    if status == 126:
        return "could not execute its command (126)"
    if status == 127:
        return "did not find its command (127)"
    if 128 < status <= 128 + _LAST_REALTIME:
        sentence = _SENTENCES.get(signal.Signals(status - 128)) if status - 128 in _BY_NAME.values() else None
        return f"{sentence or f'was ended by {name(status - 128)}'} ({status})"
    return f"exited with {status}"
