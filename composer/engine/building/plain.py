"""A step where overlay cannot be had: on a copy of its root, whose changes become the layer afterwards.

It takes the time and the space of the whole root for every RUN; what is built is the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from composer.build.worker import RunTask, Tree
from composer.errors import ContainerError
from composer.image.ownership import Ownership
from composer.image.plain import copy_merged
from composer.image.root import resolve
from composer.image.upper import Photograph, harvest, photograph

SLOW = (
    "every RUN step of a build gets a copy of its root file system, which takes time and space: overlay is missing here, or "
    "does not work in the data directory"
)


class PlainRoot:
    """The root of one step. Everything blocks, and raises ContainerError where the disk does not let it."""

    def __init__(self, task: RunTask) -> None:
        self._task = task
        self.directory = task.scratch / "root"
        self.trees: Mapping[str, Path] = {}
        """Where what the step sees of other layers lies, by target."""
        self._before: Photograph | None = None

    def make(self, ground: Path) -> None:
        """Copy the layers, with the places of `ground` below all of them."""
        try:
            self.directory.mkdir()
            copy_merged((*self._task.lower, ground), self.directory)
            self.trees = dict(self._copied())
            self._before = photograph(self.directory)
        except (OSError, RecursionError) as error:
            raise _failed("copy its root file system", error) from error

    def keep(self) -> None:
        """Have what the step changed in its upper directory."""
        assert self._before is not None
        try:
            harvest(self.directory, self._before, self._task.upper, Ownership.of_this_process())
        except (OSError, RecursionError) as error:
            raise _failed("keep what it changed", error) from error

    def _copied(self) -> Iterator[tuple[str, Path]]:
        for number, item in enumerate(self._task.attached):
            if not isinstance(item, Tree):
                continue
            inside = resolve(item.lower, item.path).lstrip("/")
            if len(item.lower) == 1 and item.read_only:
                yield item.target, item.lower[0] / inside
                continue
            directory = self._task.scratch / f"tree{number}"
            directory.mkdir()
            copy_merged(item.lower, directory)
            yield item.target, directory / inside


def _failed(what: str, error: OSError | RecursionError) -> ContainerError:
    why = (error.strerror or str(error)).lower() if isinstance(error, OSError) else "directories are nested too deeply"
    return ContainerError(f"cannot {what}: {why}")
