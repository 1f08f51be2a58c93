"""The data plane beside the keeper, and those of older code that still serve what was under way.

It is told what is held and who lives. It holds the same, so that it can go on without us.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from composer.keeper import orphan
from composer.keeper.auxiliary import Auxiliary
from composer.keeper.loop import Loop
from composer.keeper.luggage import Luggage
from composer.keeper.notes import note
from composer.keeper.sources import Sources
from composer.keeper.store import Store

_MODULE = "composer.network.dataplane"


class Planes:
    """One that serves, started when there is something to serve; and former ones, which end with what they still do."""

    def __init__(
        self, loop: Loop, known: Sources, store: Store, socket: Path | None, on_start: Callable[[], None]
    ) -> None:
        """`socket` is where the data plane waits for another keeper, if we die."""
        self._loop = loop
        self._store = store
        self._on_start = on_start
        self.current = Auxiliary(
            loop,
            _MODULE,
            known,
            arguments=(str(socket),) if socket else (),
            survives=True,
            on_start=self._tell_everything,
        )
        self._former: list[Auxiliary] = []

    def put(self, name: str, meta: dict[str, Any], fds: Sequence[int]) -> None:
        """Have an item served, or only held."""
        if _is_served(name):
            self.current.want()
        self.hold(name, meta, fds)

    def hold(self, name: str, meta: dict[str, Any], fds: Sequence[int]) -> None:
        """Tell the data plane of an item, if there is one."""
        self.current.send({"do": "put", "name": name, "meta": meta}, fds)

    def drop(self, name: str) -> None:
        """Have all of them let go of an item."""
        for plane in self.all:
            plane.send({"do": "drop", "name": name})

    def inherit(self, socket: Path) -> None:
        """Take over into the store what the data plane of a keeper that died has held meanwhile; none there is fine."""
        if (found := orphan.claim(socket)) is None:
            return
        for name, meta, fds in found.items:
            self._store.put(name, meta, fds)
        self._retire(found.process)
        note(f"took over {len(found.items)} things from data plane [{found.process['pid']}]")

    def end(self) -> None:
        """End them all, for good."""
        for plane in self.all:
            plane.end()

    @property
    def all(self) -> tuple[Auxiliary, ...]:
        """The one that serves, and the former ones."""
        return (self.current, *self._former)

    def pack(self, luggage: Luggage) -> list[dict[str, Any]]:
        """What another keeper needs to have those that run end in order."""
        return [plane.pack(luggage) for plane in self.all if plane.pid]

    def unpack(self, planes: list[dict[str, Any]]) -> None:
        """Have the data planes of our predecessor end; the store has what ours is to serve."""
        for packed in planes:
            self._retire(packed)

    def _retire(self, packed: dict[str, Any]) -> None:
        """Have one that was not started by this program end with what is under way there, and another started."""
        plane = Auxiliary(self._loop, _MODULE, {})
        plane.unpack(packed)
        plane.retire()
        self._former.append(plane)
        if any(map(_is_served, self._store)):
            self.current.want()

    def _tell_everything(self) -> None:
        for name, held in self._store.items():
            self.hold(name, held.meta, held.fds)
        self._on_start()


def _is_served(name: str) -> bool:
    return name.startswith(("port/", "out/", "dns/", "zone/"))
