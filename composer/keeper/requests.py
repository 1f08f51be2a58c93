"""What an engine may ask of the keeper: messages into calls, and an answer to each that carries a ticket.

`hello run adopt put drop acknowledge status retire upgrade stop`. Whatever arrives is checked as data from outside: a
request that makes no sense is answered with an error, or noted, and never stops the keeper.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from composer.keeper.children import Child
from composer.keeper.connection import Connection
from composer.keeper.keeping import Keeping
from composer.keeper.notes import note_failure
from composer.keeper.start import Request

VERSION = 1


class Requests:
    """Answers the messages of one engine after another."""

    def __init__(
        self,
        keeping: Keeping,
        stop: Callable[[], None],
        succeed: Callable[[Connection, list[str]], None],
        upgrade: Callable[[Connection, list[str], int], None],
    ) -> None:
        """`succeed` has another engine started in place of one, by a command.

        `upgrade` has this program replaced by a command, which answers to the ticket.
        """
        self._keeping = keeping
        self._stop = stop
        self._succeed = succeed
        self._upgrade = upgrade

    def receive(self, engine: Connection, message: dict[str, Any], fds: list[int]) -> None:
        """Do what `message` asks; `fds` are ours, and closed unless they are to be kept."""
        try:
            answer = self._do(engine, message, fds)
        except (OSError, KeyError, TypeError, ValueError, AttributeError, StopIteration) as error:
            if not isinstance(error, OSError):
                note_failure(error)
            engine.send({"is": "failed", "ticket": message.get("ticket"), **_in_words(error)})
        else:
            if answer is not None:
                engine.send({"is": "done", "ticket": message.get("ticket"), **answer})
        finally:
            for fd in fds:
                os.close(fd)

    def _do(self, engine: Connection, message: dict[str, Any], fds: list[int]) -> dict[str, Any] | None:
        """The answer to `message`, None if it comes later. Descriptors that are kept are taken out of `fds`."""
        match message.get("do"):
            case "hello":
                self._keeping.greet(engine)
                return None
            case "run":
                names = [str(name) for name in message["names"]]
                request = Request.from_message(message)
                self._keeping.run(request, dict(zip(names, fds, strict=True)), int(message["ticket"]))
                return None
            case "adopt":
                self._adopt(message, fds)
            case "put":
                name, meta = str(message["name"]), dict(message["meta"])
                self._keeping.put(name, meta, _take(fds))
            case "drop":
                self._keeping.drop(str(message["name"]), engine)
            case "acknowledge":
                self._keeping.journal.acknowledge([str(id_) for id_ in message["ids"]])
            case "status":
                return self._status(engine)
            case "retire":
                self._succeed(engine, [str(word) for word in message["successor"]])
            case "upgrade":
                self._upgrade(engine, [str(word) for word in message["command"]], int(message["ticket"]))
                return None
            case "stop":
                if not self._keeping.is_idle:
                    raise OSError("containers run")
                self._stop()
            case unknown:
                raise ValueError(f"`{unknown}` is no request")
        return {}

    def _adopt(self, message: dict[str, Any], fds: list[int]) -> None:
        values = {name: str(message[name]) for name in ("id", "log", "fifos")}
        pid, start_time = int(message["pid"]), int(message["start_time"])
        (pidfd,) = fds
        self._keeping.adopt(
            Child(pid=pid, pidfd=os.dup(pidfd), start_time=start_time, journal=True, **values)  # type: ignore[arg-type]
        )

    def _status(self, engine: Connection) -> dict[str, Any]:
        keeping = self._keeping
        return {
            "version": VERSION,
            "code": self._keeping.code,
            "keeper": os.getpid(),
            "engine": engine.peer,
            "engines": [each.pid for each in keeping.others],
            "pump": keeping.children.pump.pid,
            "dataplane": keeping.planes.current.pid,
            "containers": sorted(child.id for child in keeping.children if child.journal),
        }


def _take(fds: list[int]) -> list[int]:
    """All of `fds`, which the caller then no longer has to close."""
    taken = fds.copy()
    fds.clear()
    return taken


def _in_words(error: Exception) -> dict[str, Any]:
    if not isinstance(error, OSError):
        return {"step": "", "errno": 0, "message": f"the keeper does not understand the request: {error!r}"}
    words = (error.strerror or str(error)).lower()
    where = f" ({error.filename})" if error.filename else ""
    return {"step": "", "errno": error.errno or 0, "message": f"prepare the process: {words}{where}"}
