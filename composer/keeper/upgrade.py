"""A keeper becomes one of newer code: `execve(2)` in place, so that it stays its children's parent and nobody misses it.

The new code is tried first: a child executes it with the state that it would get, and has to read it. Only then do we become
it. Whatever fails before leaves us as we were; whatever fails after is a keeper's death, which engine and containers survive.
"""

from __future__ import annotations

import errno
import os
import select
import signal
from typing import Any, NoReturn

from composer.keeper.luggage import Luggage
from composer.keeper.notes import note
from composer.kernel import clone, process

REHEARSED_WITHIN = 20.0
"""Seconds for the new code to be read and imported: a twentieth of one, where nothing is slow."""


def become(command: list[str], options: list[str], luggage: Luggage, state: dict[str, Any]) -> NoReturn:
    """Execute `command` with `state` and `options`; comes back only with an OSError, and nothing has changed then."""
    memfd = luggage.seal(state)
    try:
        _rehearse([*command, "--rehearse", str(memfd)])
        # What comes in between waits: the new program has no handlers yet, and a SIGTERM would be its end.
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        os.execve(command[0], [*command, "--resume", str(memfd), *options], os.environ)  # noqa: S606 - ourselves
    except BaseException:
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        luggage.unseal()
        raise


def _rehearse(command: list[str]) -> None:
    """Raises OSError unless the command comes to a good end."""
    pid, pidfd = clone.clone3(0)
    if pid == 0:
        try:
            os.execv(command[0], command)  # noqa: S606 - what we are about to become
        except OSError as error:
            note(f"{command[0]}: {error.strerror}")
        finally:
            os._exit(127)
    ended = select.poll()
    ended.register(pidfd, select.POLLIN)
    if not ended.poll(REHEARSED_WITHIN * 1000):
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        ended.poll()
    status = process.reap(pidfd)
    os.close(pidfd)
    if status != 0:
        raise OSError(errno.ENOEXEC, f"the newer keeper does not start (status {status}); its words are in keeper.log")
