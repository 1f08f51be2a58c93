"""Which paths below a watched root count.

What is ignored: what the rule's `ignore` says, what the builder does not see (`.dockerignore` of the context), what git does
not track, version control's own directories, and the swap and temporary files of editors. `include` narrows what is left,
and where it is given, `.gitignore` has no say: the files were named. It has none either where the root itself is ignored.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from composer.ignore import DockerPatterns, GitIgnores

EDITORS = DockerPatterns(
    (
        "**/.git",
        "**/.idea",
        "**/*___jb_old___",
        "**/*___jb_tmp___",
        "**/.#*",
        "**/#*#",
        "**/4913",
        "**/*~",
        "**/.*.sw[a-px]",
        "**/.*.kate-swp",
        "**/.goutputstream-*",
    )
)
"""Names that no program in a container wants: of version control, and of editors at work."""

_NOTHING = DockerPatterns(())


@dataclass(frozen=True, slots=True)
class Selection:
    """A root and what of it counts. Paths are absolute, without links in the way to the root."""

    root: str
    ignore: DockerPatterns = _NOTHING
    include: DockerPatterns = _NOTHING
    context: str = ""
    """The directory that `unseen` is relative to."""
    unseen: DockerPatterns = _NOTHING
    """What `.dockerignore` keeps from the builder."""
    git: GitIgnores | None = None
    excluded: frozenset[str] = field(default_factory=frozenset)
    """Single files that are never brought in: the Compose files, the Dockerfile."""

    def __contains__(self, path: str) -> bool:
        """Whether `path` is the root or below it."""
        return path == self.root or path.startswith(f"{self.root}/")

    def counts(self, path: str, *, directory: bool = False) -> bool:
        """Whether a change of `path`, which is below the root, is to be told."""
        relative = path[len(self.root) + 1 :]
        if not relative:
            return True
        if self.include and (directory or not self.include.matches(relative)):
            return False
        return not self._ignored(path, relative, directory=directory)

    def enters(self, directory: str) -> bool:
        """Whether anything below `directory` can count."""
        relative = directory[len(self.root) + 1 :]
        if not relative:
            return True
        if EDITORS.prunes(relative) or self.ignore.prunes(relative):
            return False
        if self.unseen and (seen := self._in_context(directory)) and self.unseen.prunes(seen):
            return False
        return not self._untracked(directory, directory=True)

    def _ignored(self, path: str, relative: str, *, directory: bool) -> bool:
        if path in self.excluded or EDITORS.matches(relative) or self.ignore.matches(relative):
            return True
        if self.unseen and (seen := self._in_context(path)) and self.unseen.matches(seen):
            return True
        return self._untracked(path, directory=directory)

    def _untracked(self, path: str, *, directory: bool) -> bool:
        return self.git is not None and not self.include and self.git.matches(path, directory=directory)

    def _in_context(self, path: str) -> str:
        """`path` relative to the context, "" for one outside."""
        return path[len(self.context) + 1 :] if path.startswith(f"{self.context}/") else ""
