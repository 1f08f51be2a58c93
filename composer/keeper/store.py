"""Descriptors that must outlive the engine, by name, each with a little JSON beside it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Held:
    """One entry: what it means, and its descriptors (the store's own)."""

    meta: dict[str, Any]
    fds: tuple[int, ...]


class Store(dict[str, Held]):
    """Entries by name; the store closes what it lets go."""

    def put(self, name: str, meta: dict[str, Any], fds: Sequence[int]) -> None:
        """Keep `fds`, which become ours, as `name`; an entry of that name is replaced."""
        self.drop(name)
        self[name] = Held(meta, tuple(fds))

    def clear_all(self) -> None:
        """Let go of everything."""
        for name in list(self):
            self.drop(name)

    def drop(self, name: str) -> None:
        """Close and forget an entry; none of that name is fine."""
        if held := self.pop(name, None):
            for fd in held.fds:
                os.close(fd)
