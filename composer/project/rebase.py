"""Paths in a file made to start from one directory, before the file is merged with others that lie elsewhere.

On canonical trees: bind sources, `env_file`, build contexts, watched paths, and the files that `extends` and `include` name.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from composer.project.document import Mapping, Node, Scalar, Sequence
from composer.project.mounts import is_windows_path
from composer.project.shapes import derived

N = TypeVar("N", bound=Node)

_REMOTE = re.compile(r"[a-z][a-z0-9+.-]*://|git@|github\.com/")


class Rebaser:
    """Puts a directory before relative paths, and the user's home in the place of `~`; neither need be absolute."""

    def __init__(self, directory: Path, home: str, *, raw: bool = False) -> None:
        """With `raw`, a path may begin with a variable that is still to be filled in: it stays."""
        self._directory = directory
        self._home = home
        self._raw = raw

    def path(self, text: str) -> str:
        """The path that `text` means, without `.` and `..`, symbolic links left alone."""
        if text == "~" or text.startswith("~/"):
            text = self._home + text[1:]
        return os.path.normpath(self._directory / text)

    def tree(self, tree: Node) -> Node:
        """The whole file with its paths rebased."""
        tree = _at(tree, "services", lambda services: _each(services, self._service))
        tree = _at(tree, "volumes", lambda volumes: _each(volumes, self._volume))
        for name in ("secrets", "configs"):
            tree = _at(tree, name, lambda entries: _each(entries, lambda entry: _at(entry, "file", self._scalar)))
        return _at(tree, "include", lambda entries: _items(entries, self._include))

    def with_contexts(self, tree: Mapping) -> Mapping:
        """The whole project with its own directory as the context of builds that name none."""
        return _at(
            tree, "services", lambda services: _each(services, lambda one: _at(one, "build", self._with_context))
        )

    def _with_context(self, build: Node) -> Node:
        if not isinstance(build, Mapping) or "context" in build.entries:
            return build
        return replace(build, entries={"context": derived(str(self._directory), build.mark), **build.entries})

    def _service(self, service: Node) -> Node:
        service = _at(service, "volumes", lambda volumes: _items(volumes, self._mount))
        service = _at(service, "env_file", lambda files: _items(files, lambda file: _at(file, "path", self._scalar)))
        service = _at(service, "extends", lambda extends: _at(extends, "file", self._scalar))
        service = _at(service, "label_file", lambda files: _items(files, self._scalar))
        service = _at(service, "develop", lambda develop: _at(develop, "watch", self._triggers))
        return _at(service, "build", self._build)

    def _build(self, build: Node) -> Node:
        build = _at(build, "context", self._local)
        build = _at(build, "ssh", lambda keys: _each(keys, self._scalar))
        return _at(build, "additional_contexts", lambda contexts: _each(contexts, self._local))

    def _triggers(self, triggers: Node) -> Node:
        return _items(triggers, lambda trigger: _at(trigger, "path", self._scalar))

    def _mount(self, mount: Node) -> Node:
        kind = mount.get("type") if isinstance(mount, Mapping) else None
        is_bind = isinstance(kind, Scalar) and kind.value == "bind"
        source = mount.get("source") if isinstance(mount, Mapping) else None
        is_elsewhere = isinstance(source, Scalar) and is_windows_path(str(source.value))
        return _at(mount, "source", self._scalar) if is_bind and not is_elsewhere else mount

    def _volume(self, volume: Node) -> Node:
        """A volume that is a bind mount in truth: its device is a path."""
        options = volume.get("driver_opts") if isinstance(volume, Mapping) else None
        kind, driver = (
            node.get(name) if isinstance(node, Mapping) else None for node, name in ((options, "o"), (volume, "driver"))
        )
        is_local = isinstance(driver, Scalar) and driver.value == "local"
        if not is_local or not isinstance(kind, Scalar) or kind.value != "bind":
            return volume
        return _at(volume, "driver_opts", lambda found: _at(found, "device", self._scalar))

    def _include(self, entry: Node) -> Node:
        entry = _at(entry, "path", lambda paths: _items(paths, self._scalar))
        entry = _at(entry, "env_file", lambda paths: _items(paths, self._scalar))
        return _at(entry, "project_directory", self._scalar)

    def _scalar(self, node: Node) -> Node:
        if not isinstance(node, Scalar) or not isinstance(node.value, str) or (self._raw and node.value[:1] == "$"):
            return node
        return replace(node, value=self.path(node.value))

    def _local(self, node: Node) -> Node:
        text = node.value if isinstance(node, Scalar) else None
        is_elsewhere = isinstance(text, str) and (_REMOTE.match(text) or text.startswith("service:"))
        return node if is_elsewhere else self._scalar(node)


def _at(node: N, key: str, change: Callable[[Node], Node]) -> N | Mapping:
    if not isinstance(node, Mapping) or node.get(key) is None:
        return node
    return replace(node, entries={**node.entries, key: change(node.entries[key])})


def _each(node: Node, change: Callable[[Node], Node]) -> Node:
    if not isinstance(node, Mapping):
        return node
    return replace(node, entries={key: change(value) for key, value in node.entries.items()})


def _items(node: Node, change: Callable[[Node], Node]) -> Node:
    return replace(node, items=tuple(map(change, node.items))) if isinstance(node, Sequence) else node
