"""Trees in a few lines, and what a tree looks like in a few lines."""

from __future__ import annotations

import stat
from collections.abc import Mapping, Sequence
from pathlib import Path

from composer.build.files import ContentCache, CopyOptions, copy, open_chain, open_context, select
from composer.image.ownership import Ownership

PLAIN = CopyOptions()
OWNERSHIP = Ownership.of_this_process()


def make(root: Path, files: Mapping[str, str | bytes | None]) -> Path:
    """Files by name: text is content, None a directory, `-> x` a link to x."""
    root.mkdir(parents=True, exist_ok=True)
    for name, what in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if what is None:
            path.mkdir(exist_ok=True)
        elif isinstance(what, str) and what.startswith("-> "):
            path.symlink_to(what[3:])
        else:
            path.write_bytes(what if isinstance(what, bytes) else what.encode())
    return root


def look(root: Path, *, owners: bool = False) -> dict[str, str]:
    """What is in a tree, by name: kind and mode, owner if wanted, content or target."""
    seen = {}
    for path in sorted(root.rglob("*")):
        status = path.lstat()
        words = [stat.filemode(status.st_mode)] if not path.is_symlink() else ["link"]
        if owners:
            words.append(f"{status.st_uid}:{status.st_gid}")
        if path.is_symlink():
            words.append(str(path.readlink()))
        elif stat.S_ISREG(status.st_mode):
            words.append(path.read_text("utf-8", "surrogateescape"))
        seen[str(path.relative_to(root))] = " ".join(words)
    return seen


class Lab:
    """COPY in one line: a context, layers below, a new upper directory each time."""

    def __init__(self, path: Path, contents: ContentCache) -> None:
        self.path = path
        self.contents = contents
        self.context = make(path / "context", {})
        self.base: list[Path] = []
        self.count = 0

    def put(self, files: Mapping[str, str | bytes | None]) -> None:
        """Files into the context."""
        make(self.context, files)

    def layer(self, files: Mapping[str, str | bytes | None]) -> Path:
        """A layer on top of those below."""
        made = make(self.path / f"layer{len(self.base)}", files)
        self.base.insert(0, made)
        return made

    def copy(
        self,
        sources: Sequence[str] | str,
        to: str,
        *,
        options: CopyOptions = PLAIN,
        parents: bool = False,
        excludes: Sequence[str] = (),
        stage: Sequence[Path] = (),
        unpack: bool = False,
    ) -> Path:
        """The upper directory that COPY leaves."""
        context = None if stage else open_context(self.context, self.contents)
        tree = context or open_chain(stage, self.contents, name="stage `build`")
        names = [sources] if isinstance(sources, str) else sources
        selection = select(tree, names, parents=parents, excludes=excludes, unpack=unpack)
        self.count += 1
        upper = self.path / f"upper{self.count}"
        upper.mkdir()
        copy([selection], upper, self.base, to, OWNERSHIP, options)
        return upper
