"""Why files could not be copied: data for whoever knows the instruction and its place in the Dockerfile."""

from __future__ import annotations

import errno
import os
from enum import StrEnum

from composer.errors import ComposerError


class Reason(StrEnum):
    """What is wrong, for those who decide by it."""

    MISSING = "missing"
    IGNORED = "ignored"
    OUTSIDE = "outside"
    UNREADABLE = "unreadable"
    UNSUPPORTED = "unsupported"
    """A socket, which means nothing in an image."""
    PATTERN = "pattern"
    IN_THE_WAY = "in the way"
    """The destination is a file where a directory is needed, or the other way round."""
    OWNER = "owner"
    MODE = "mode"
    CHANGED = "changed"
    """A file changed while it was read: trying again may help."""
    NO_SPACE = "no space"
    ARCHIVE = "archive"
    CHECKSUM = "checksum"
    FETCH = "fetch"
    DISK = "disk"


class FilesError(ComposerError):
    """Files that cannot be read, or cannot be put where they should be.

    The message begins with the path and has no verb before it, so that the caller can put the instruction there, and sets
    `location` to the instruction's place.
    """

    def __init__(self, reason: Reason, message: str, *, path: str = "", hint: str = "", ignored_by: str = "") -> None:
        super().__init__(message, hint=hint)
        self.reason = reason
        self.path = path
        """The path it is about, as the instruction or the context names it."""
        self.ignored_by = ignored_by
        """`FILE:LINE` of the rule that leaves the path out of the context."""


def shown(path: str) -> str:
    """A path as it can be shown: names may hold control sequences and bytes that are no text."""
    text = os.fsencode(path).decode(errors="backslashreplace")
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in text)


def while_writing(path: str, error: OSError) -> FilesError:
    """What the disk's refusal to take `path` means."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        hint = "free some space, or move the data directory with COMPOSER_DATA"
        return FilesError(Reason.NO_SPACE, f"`{shown(path)}`: no space left on the device", path=path, hint=hint)
    return FilesError(Reason.DISK, f"`{shown(path)}`: {(error.strerror or str(error)).lower()}", path=path)


def while_reading(path: str, error: OSError) -> FilesError:
    """What it means that a source cannot be read."""
    if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
        return changed(path)
    if error.errno in (errno.EACCES, errno.EPERM):
        hint = "let it be read by whoever runs the engine, or leave it out with .dockerignore"
        return FilesError(Reason.UNREADABLE, f"`{shown(path)}`: permission denied", path=path, hint=hint)
    return FilesError(Reason.UNREADABLE, f"`{shown(path)}`: {(error.strerror or str(error)).lower()}", path=path)


def changed(path: str) -> FilesError:
    """A file is not any more what it was when it was looked at."""
    message = f"`{shown(path)}`: changed while it was being copied"
    return FilesError(Reason.CHANGED, message, path=path, hint="build again once nothing writes to it")
