"""An image as data that can be compared: read from the archive that `docker save` and `compose image save` write.

Nothing of composer reads it here: an error of its own layer code would cancel itself out.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.build_corpus.case import CONTEXT_TIMES, Case

_OPAQUE, _WHITEOUT = ".wh..wh..opq", ".wh."
_RECENT = 1_600_000_000  # what was changed later was changed by the build itself
_COMPOSE = "com.docker.compose."
_SETTINGS = ("User", "ExposedPorts", "Env", "Entrypoint", "Cmd", "Volumes", "WorkingDir", "Labels", "StopSignal", "Shell",
             "Healthcheck", "OnBuild")  # fmt: skip

Tree = dict[str, str]
"""What is at a path, in words."""


@dataclass(frozen=True)
class Saved:
    """An archive's only image."""

    config: dict[str, Any]
    layers: tuple[bytes, ...]
    """Uncompressed, from the bottom up."""


def read(path: Path) -> Saved:
    """The image in an archive."""
    with tarfile.open(path) as archive:

        def content(name: str) -> bytes:
            member = archive.extractfile(name)
            assert member is not None, name
            return member.read()

        (manifest,) = json.loads(content("manifest.json"))
        config = json.loads(content(manifest["Config"]))
        layers = tuple(_plain(content(name)) for name in manifest["Layers"])
    found = [f"sha256:{hashlib.sha256(layer).hexdigest()}" for layer in layers]
    assert found == config["rootfs"]["diff_ids"], "the config does not name its layers"
    return Saved(config, layers)


def _plain(layer: bytes) -> bytes:
    return gzip.decompress(layer) if layer[:2] == b"\x1f\x8b" else layer


def picture(saved: Saved, base: Saved, case: Case) -> dict[str, Any]:
    """What `saved` is beyond `base`: JSON-able, the same for the same image whenever it was built."""
    hidden, times = case.hidden, case.times
    below = len(base.layers) if saved.layers[: len(base.layers)] == base.layers else 0
    history = [_history(entry, times=times) for entry in saved.config.get("history") or []]
    if below:
        history = history[len(base.config.get("history") or []) :]
    bottom, _ = _flatten(base.layers)
    program = bottom["/bin/busybox"].rpartition(" ")[2]  # another on each machine
    tree, changes = _flatten(saved.layers)
    # A layer that changes nothing is as good as none: BuildKit keeps it, composer does not.
    filled = [entry for entry in history if not entry.get("empty_layer")]
    for entry, changed in zip(filled, changes[below:], strict=True):
        if not changed:
            entry["empty_layer"] = True
    described: dict[str, Any] = {
        "config": _settings(saved.config),
        "history": history,
        "layers": [[path for path in changed if not _below(path, hidden)] for changed in changes[below:] if changed],
        "tree": {
            path: what.replace(program, "busybox")
            for path, what in _difference(bottom if below else {}, tree, hidden).items()
        },
    }
    if author := saved.config.get("author"):
        described["author"] = author
    if times:
        described["created"] = saved.config.get("created")
    return described


def _settings(config: Mapping[str, Any]) -> dict[str, Any]:
    settings = config.get("config") or {}
    if labels := settings.get("Labels"):
        # Docker Compose labels images with the project; composer does not.
        settings = {
            **settings,
            "Labels": {name: text for name, text in labels.items() if not name.startswith(_COMPOSE)},
        }
    return {name: settings[name] for name in _SETTINGS if settings.get(name)}


def _history(entry: Mapping[str, Any], *, times: bool) -> dict[str, Any]:
    kept = {key: value for key, value in entry.items() if key != "created" or times}
    return {key: value for key, value in kept.items() if value}


def _below(name: str, hidden: Sequence[str]) -> bool:
    return any(name.startswith(f"{path}/") and name != f"{path}/" for path in hidden)


def _path(name: str) -> str:
    stripped = name.removeprefix("./").strip("/")
    return "/" if stripped in ("", ".") else f"/{stripped}"


def _flatten(layers: Sequence[bytes]) -> tuple[Tree, list[list[str]]]:
    """The tree that layers make, by the rules of the OCI image specification; and the paths that each of them changes.

    A directory that a layer only repeats is no change: which ones a layer repeats is the tool's own affair.
    """
    tree: Tree = {"/": "dir 0755 0:0"}
    changes = []
    for layer in layers:
        before = dict(tree)
        with tarfile.open(fileobj=io.BytesIO(layer)) as archive:
            members = list(archive)
            _remove(tree, members)
            for member in members:
                if not Path(member.name).name.startswith(_WHITEOUT):
                    _put(tree, member, archive)
        changes.append(sorted(path for path in before.keys() | tree.keys() if before.get(path) != tree.get(path)))
    return tree, changes


def _remove(tree: Tree, members: Sequence[tarfile.TarInfo]) -> None:
    for member in members:
        path = _path(member.name)
        parent, _, name = path.rpartition("/")
        if name == _OPAQUE:
            _drop(tree, f"{parent}/")
        elif name.startswith(_WHITEOUT):
            gone = f"{parent}/{name.removeprefix(_WHITEOUT)}"
            tree.pop(gone, None)
            _drop(tree, f"{gone}/")


def _drop(tree: Tree, prefix: str) -> None:
    for path in [path for path in tree if path.startswith(prefix)]:
        del tree[path]


def _put(tree: Tree, member: tarfile.TarInfo, archive: tarfile.TarFile) -> None:
    path = _path(member.name)
    if member.islnk():
        tree[path] = tree[_path(member.linkname)]
        return
    if not member.isdir():
        _drop(tree, f"{path}/")
    owner = f"{member.mode & 0o7777:04o} {member.uid}:{member.gid}"
    extra = "".join(f" {key}" for key in sorted(member.pax_headers) if key.startswith("SCHILY.xattr."))
    if member.isdir():
        tree[path] = f"dir {owner}{extra}"
    elif member.issym():
        tree[path] = f"link -> {member.linkname} {member.uid}:{member.gid}"
    elif member.isreg():
        source = archive.extractfile(member)
        assert source is not None
        content = source.read()
        shown = (
            repr(content.decode()) if len(content) <= 600 and _is_text(content) else hashlib.sha256(content).hexdigest()
        )
        told = member.mtime < _RECENT and int(member.mtime) not in CONTEXT_TIMES
        changed = f" @{int(member.mtime)}" if told else ""
        tree[path] = f"file {owner}{changed}{extra} {shown}"
    elif member.isfifo():
        tree[path] = f"fifo {owner}"
    else:
        kind = "char" if member.ischr() else "block"
        tree[path] = f"{kind} {owner} {member.devmajor}:{member.devminor}"


def _is_text(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True


def _difference(base: Tree, tree: Tree, hidden: Sequence[str]) -> Tree:
    changed = {path: what for path, what in tree.items() if base.get(path) != what and not _below(path, hidden)}
    changed |= {path: "gone" for path in base if path not in tree}
    return dict(sorted(changed.items()))
