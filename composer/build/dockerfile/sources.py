"""What an ADD may name that is not in the context: URLs and git repositories."""

from __future__ import annotations

import re

_URL = re.compile(r"https?://", re.IGNORECASE)
_GIT_SCHEME = re.compile(r"(?:git|ssh)://", re.IGNORECASE)
_GIT_SCP = re.compile(r"[A-Za-z0-9_.-]+@[A-Za-z0-9.-]+:(?!//).+")
_GIT_PATH = re.compile(r"\.git(?:[#?]|$)")


def is_git(source: str) -> bool:
    """Whether an ADD's source is a git repository: `git://…`, `user@host:path`, `https://host/path.git[#ref[:directory]]`."""
    if _GIT_SCHEME.match(source) or _GIT_SCP.fullmatch(source):
        return True
    return bool(_URL.match(source) and _GIT_PATH.search(source))


def is_remote(source: str) -> bool:
    """Whether an ADD's source is fetched from elsewhere."""
    return bool(_URL.match(source)) or is_git(source)
