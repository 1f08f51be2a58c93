"""Layers as a build stacks them: usable as soon as their step has ended, snapshots once their digest is known.

A layer that was just made lies in its step's directory. It is hashed while later steps already run on it, and then moved
to its place among the snapshots, under its ChainID. Overlay does not mind a move of what it has mounted, but whoever is
about to mount or read by a path does: `hold` gives paths that stay until it ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from composer.oci.digest import Digest


@dataclass(eq=False, slots=True)
class Layer:
    """A root file system: one layer and all below it; `path` None is one that changed nothing."""

    below: Layer | None
    path: Path | None
    created: int
    """Nanoseconds since the epoch."""
    digests: asyncio.Future[Digests]
    """Known once it has been hashed."""
    made: bool = True
    """Whether a step of a build made it; else it is a base image's."""
    _users: int = 0
    _idle: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def stack(self) -> Iterator[Layer]:
        """This layer and those below it."""
        layer: Layer | None = self
        while layer is not None:
            yield layer
            layer = layer.below

    @property
    def settled(self) -> Digests | None:
        """Its digests, if they are known already."""
        return self.digests.result() if self.digests.done() and not self.digests.exception() else None

    async def unheld(self) -> None:
        """Return when nobody relies on its path; it may be moved until the event loop turns again."""
        while self._users:
            self._idle.clear()
            await self._idle.wait()


@dataclass(frozen=True, slots=True)
class Digests:
    """What a layer turned out to be."""

    chain: Digest | None
    """Of everything up to it; None for nothing at all."""
    diff_id: Digest | None
    """None for a layer that changed nothing."""
    size: int = 0
    """Bytes of the uncompressed layer."""


NOTHING = Digests(None, None)
"""Of the empty root file system."""


@contextmanager
def hold(tops: Iterable[Layer | None]) -> Iterator[None]:
    """The paths of these layers and of all below them stay what they are meanwhile."""
    layers = [layer for top in tops if top is not None for layer in top.stack]
    for layer in layers:
        layer._users += 1
    try:
        yield
    finally:
        for layer in layers:
            layer._users -= 1
            if not layer._users:
                layer._idle.set()


def paths(top: Layer | None) -> tuple[Path, ...]:
    """The directories that overlay stacks, topmost first."""
    return tuple(layer.path for layer in top.stack if layer.path is not None) if top is not None else ()


def known(below: Layer | None, path: Path | None, created: int, digests: Digests, *, made: bool) -> Layer:
    """A layer that is a snapshot already."""
    future: asyncio.Future[Digests] = asyncio.get_running_loop().create_future()
    future.set_result(digests)
    return Layer(below, path, created, future, made)
