"""An engine that is of other code than this command, as it outlived an upgrade, is replaced; `server.succession` is its side.

It is asked to make way for the engine that this interpreter and this copy of the package start. Containers go on with the
keeper. Ours is imported before, for a try: a broken installation is not to cost what works. A forkserver of other code is told
to leave as well, as it would decline every command of ours.
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
from composer.edition import Edition
from composer.errors import ComposerError, error_from_wire
from composer.keeper import launch
from composer.paths import Paths

SUCCESSIONS = 5
"""How many engines in a row a command waits for, where several of several editions come at once."""
_PAUSE = 0.02
_STAYS = "the engine of this version does not start, and the one that is there goes on"
_REHEARSED_WITHIN = 20.0
"""Seconds for an engine of ours to be imported: a twentieth of one, where nothing is slow."""


def await_successor(paths: Paths, refused: Response, ours: Edition, notice: Callable[[str], None]) -> bool:
    """Return True when the engine that refused us has let go of its socket. `notice` is told for whom it stays meanwhile.

    False where it stays for good, as an engine of our edition would not start: `notice` is told why. Raises EngineError where
    it is newer than we are and does not understand us.
    """
    request = {}
    if refused.status == OTHER_EDITION:
        answer = json_object(refused.read())
        if fault := answer.get("unfit"):
            notice(f"{_STAYS}: {fault}")
            return False
        if not answer.get("may_replace"):
            raise _error(answer)
        command = launch.command("composer.server", packages=True)
        if fault := _rehearse([*command, "--rehearse"]):
            notice(f"{_STAYS}: {fault}")
            return False
        request["command"] = command
        _dismiss_forkserver(paths)
    else:
        refused.close()
    told: list[str] = []
    while True:
        try:
            answer = json_object(
                send(paths.engine_socket, "POST", "/engine/replace", json.dumps(request).encode(), edition=ours).read()
            )
        except (EngineLost, OSError):  # it has let go
            return True
        if not answer.get("making_way"):  # its successor, already
            return True
        waiting = [str(each) for each in answer.get("waiting_for", [])]
        if waiting and waiting != told:
            notice(
                f"waiting for the engine of another version to finish {' and '.join(waiting)}; to go on at once, end that"
            )
            told = waiting
        time.sleep(_PAUSE)


def _rehearse(command: list[str]) -> str:
    """What keeps our engine from being imported, "" for nothing."""
    import subprocess

    try:
        tried = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=_REHEARSED_WITHIN,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    words = tried.stderr.decode(errors="replace").strip().splitlines()
    return (words[-1] if words else f"it ends with status {tried.returncode}") if tried.returncode else ""


def _error(answer: dict[str, object]) -> ComposerError:
    error = answer.get("error")
    return error_from_wire(error if isinstance(error, dict) else {})


def _dismiss_forkserver(paths: Paths) -> None:
    """Tell the forkserver to leave, unless we are its child: then it is of our code. Its commands go on."""
    if (pid := forkserver_pid(paths)) and pid != os.getppid():
        with suppress(OSError):
            os.kill(pid, signal.SIGTERM)
