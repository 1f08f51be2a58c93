"""An engine that is of other code than this command, as it outlived an upgrade, is replaced; `server.succession` is its side.

It is asked to make way for the engine that this interpreter and this copy of the package start. Containers go on with the
keeper. A forkserver of other code is told to leave as well, as it would decline every command of ours.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress

from composer.api.answers import json_object
from composer.api.connection import EngineLost, Response, send
from composer.api.messages import OTHER_EDITION
from composer.api.starter import forkserver_pid
from composer.errors import ComposerError, error_from_wire
from composer.keeper import launch
from composer.paths import Paths

SUCCESSIONS = 5
"""How many engines in a row a command waits for, where several of several editions come at once."""
_PAUSE = 0.02


def await_successor(paths: Paths, refused: Response, notice: Callable[[str], None]) -> None:
    """Return when the engine that refused us has let go of its socket. `notice` is told for whom it stays meanwhile.

    Raises EngineError where it is newer than we are and does not understand us.
    """
    request = {}
    if refused.status == OTHER_EDITION:
        answer = json_object(refused.read())
        if not answer.get("may_replace"):
            raise _error(answer)
        request["command"] = launch.command("composer.server", packages=True)
        _dismiss_forkserver(paths)
    else:
        refused.close()
    told: list[str] = []
    while True:
        try:
            answer = json_object(
                send(paths.engine_socket, "POST", "/engine/replace", json.dumps(request).encode()).read()
            )
        except (EngineLost, OSError):  # it has let go
            return
        if not answer.get("making_way"):  # its successor, already
            return
        waiting = [str(each) for each in answer.get("waiting_for", [])]
        if waiting and waiting != told:
            notice(f"waiting for the engine of another version to finish {' and '.join(waiting)}")
            told = waiting
        time.sleep(_PAUSE)


def _error(answer: dict[str, object]) -> ComposerError:
    error = answer.get("error")
    return error_from_wire(error if isinstance(error, dict) else {})


def _dismiss_forkserver(paths: Paths) -> None:
    """Tell the forkserver to leave, unless we are its child: then it is of our code. Its commands go on."""
    if (pid := forkserver_pid(paths)) and pid != os.getppid():
        with suppress(OSError):
            os.kill(pid, signal.SIGTERM)
