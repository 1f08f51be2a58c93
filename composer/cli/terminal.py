"""Signals as something to select on, and a terminal in raw mode that is always put back."""

from __future__ import annotations

import os
import signal
import termios
import tty
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any


class Signals:
    """While entered, these signals interrupt nothing: they are readable at `fileno` (signal.set_wakeup_fd).

    A SIGINT that comes while another has not been taken yet raises KeyboardInterrupt: whoever should have taken it hangs.
    """

    def __init__(self, *numbers: signal.Signals) -> None:
        self._numbers = numbers
        self._previous: dict[signal.Signals, Any] = {}
        self._read = self._write = self._wakeup = -1
        self._waiting = False

    def __enter__(self) -> Signals:
        self._read, self._write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._wakeup = signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        for number in self._numbers:
            self._previous[number] = signal.signal(number, self._noted)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._wakeup)
        os.close(self._read)
        os.close(self._write)

    def fileno(self) -> int:
        """For selectors: readable when a signal has come."""
        return self._read

    def take(self) -> list[signal.Signals]:
        """The signals that have come since the last call, in order."""
        self._waiting = False
        try:
            data = os.read(self._read, 4096)
        except BlockingIOError:
            return []
        return [signal.Signals(number) for number in data if number in self._numbers]

    def _noted(self, number: int, _frame: FrameType | None) -> None:
        """The interpreter has written the number to the wakeup descriptor already."""
        if number == signal.SIGINT:
            if self._waiting:
                raise KeyboardInterrupt
            self._waiting = True


class RawTerminal:
    """While entered, the terminal hands over every key as it is pressed; afterwards it is as it was, whatever happened.

    A SIGTSTP puts it back for as long as we are stopped.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._before: list[Any] = []
        self._stopper: Any = None

    def __enter__(self) -> RawTerminal:
        self._before = termios.tcgetattr(self._descriptor)
        self.make_raw()
        _entered.append(self)
        self._stopper = signal.getsignal(signal.SIGTSTP)
        if self._stopper is not signal.SIG_IGN:
            signal.signal(signal.SIGTSTP, stop_here)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        signal.signal(signal.SIGTSTP, self._stopper)
        _entered.remove(self)
        self.put_back()

    def make_raw(self) -> None:
        tty.setraw(self._descriptor, termios.TCSANOW)

    def put_back(self) -> None:
        # TCSANOW: waiting for output to drain could wait for ever on a stopped terminal.
        termios.tcsetattr(self._descriptor, termios.TCSANOW, self._before)


_entered: list[RawTerminal] = []

tell_reader: Callable[[], None] = lambda: None  # noqa: E731
"""Called before the terminal is read; the forkserver, whose commands the kernel does not stop for it, wants to know."""


def stop_here(_number: int, _frame: FrameType | None) -> None:
    """Stop this process, with the terminal as it was found, until it is continued. A handler of SIGTSTP."""
    for terminal in _entered:
        terminal.put_back()
    os.kill(os.getpid(), signal.SIGSTOP)
    for terminal in _entered:
        terminal.make_raw()


def window_size() -> tuple[int, int]:
    """Rows and columns of the terminal, 24 by 80 where there is none."""
    for descriptor in (1, 0, 2):
        try:
            size = os.get_terminal_size(descriptor)
        except OSError:
            continue
        if size.lines and size.columns:
            return size.lines, size.columns
    return 24, 80
