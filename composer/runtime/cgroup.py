"""A container's control group behind one port: v1, v2, or nothing where none can be had (`cgroups(7)`)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cgroup:
    """One container's group; `directories` is what its first process joins."""

    name: str
    views: tuple[tuple[str, str], ...] = ()
    """(place below /sys/fs/cgroup, directory): one for v2 with an empty place, one a hierarchy for v1."""
    unenforced: tuple[str, ...] = ()
    """Limits that were asked for and cannot be set here, each a sentence."""

    @property
    def directories(self) -> tuple[str, ...]:
        return tuple(directory for _place, directory in self.views)


NO_CGROUP = Cgroup("")
