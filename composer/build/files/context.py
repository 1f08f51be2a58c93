"""Trees to copy from: a context's directory with its ignore file, and the layers of a stage or image.

The ignore file is `<Dockerfile>.dockerignore` beside the Dockerfile, else `.dockerignore` in the context
<https://docs.docker.com/build/concepts/context/#filename-and-location>.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from composer.build.files.contents import ContentCache
from composer.build.files.failures import FilesError, Reason, shown
from composer.build.files.listing import ChainLister, ContextLister
from composer.build.files.tree import Tree
from composer.ignore import DockerPatterns

_LARGEST_IGNORE_FILE = 1 << 20
CONTEXT = "the build context"


def open_context(
    directory: Path, contents: ContentCache, *, dockerfile: Path | None = None, name: str = CONTEXT
) -> Tree:
    """The context at `directory`; nothing of it is read yet but its ignore file. Make a new one for each build.

    Raises FilesError where it is no directory, or the ignore file cannot be read or understood.
    """
    try:
        root = directory.resolve(strict=True)
        patterns, ignore_file = _ignored(root, dockerfile)
        return Tree([root], contents, ContextLister(patterns, ignore_file), name)
    except NotADirectoryError as error:
        raise FilesError(
            Reason.MISSING, f"`{shown(str(directory))}`: is not a directory", path=str(directory)
        ) from error
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise FilesError(Reason.MISSING, f"`{shown(str(directory))}`: {reason}", path=str(directory)) from error


def open_directory(directory: Path, contents: ContentCache, *, name: str) -> Tree:
    """All of a directory, everything in it root's: a checkout, an unpacked archive. Raises OSError."""
    return Tree([directory.resolve(strict=True)], contents, ContextLister(DockerPatterns(())), name)


def open_chain(layers: Sequence[Path], contents: ContentCache, *, name: str) -> Tree:
    """The root file system of a stage or image, `layers` topmost first; `name` as in "stage `build`"."""
    return Tree(layers, contents, ChainLister(), name)


def _ignored(root: Path, dockerfile: Path | None) -> tuple[DockerPatterns, str]:
    if not root.is_dir():
        raise NotADirectoryError
    candidates = [root / ".dockerignore"]
    if dockerfile is not None:
        candidates.insert(0, dockerfile.with_name(f"{dockerfile.name}.dockerignore"))
    for path in candidates:
        text = _text(path)
        if text is None:
            continue
        shown_path = os.path.relpath(path, root) if path.is_relative_to(root) else str(path)
        try:
            return DockerPatterns.parse(text), shown_path
        except ValueError as error:
            raise FilesError(Reason.PATTERN, f"`{shown(shown_path)}`: {error}", path=shown_path) from error
    return DockerPatterns(()), ".dockerignore"


def _text(path: Path) -> str | None:
    """The text of an ignore file, None where there is none; never waits for a FIFO."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise FilesError(Reason.UNREADABLE, f"`{shown(str(path))}`: {reason}", path=str(path)) from error
    with os.fdopen(descriptor, "rb") as file:
        try:
            return file.read(_LARGEST_IGNORE_FILE).decode("utf-8", "surrogateescape")
        except IsADirectoryError:
            return None
