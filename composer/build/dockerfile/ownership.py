"""What `--chmod` and `--chown` may say, as far as their words alone tell.

<https://docs.docker.com/reference/dockerfile/#copy---chown---chmod>
"""

from __future__ import annotations

import re

from composer.build.dockerfile.instructions import Add, Copy

CLAUSE = re.compile(r"([ugoa]*)((?:[-+=](?:[ugo]|[rwxXst]*))+)")
"""One clause of a symbolic mode: classes, and what is done to them."""
MOST_BITS = 0o7777
MODE_HINT = "use octal digits up to 7777, such as `755`, or a symbolic mode, such as `u=rwX,go=rX`"
OWNER_HINT = "write `USER`, `USER:GROUP`, `UID` or `UID:GID`"


def is_mode(text: str) -> bool:
    """Whether `text` is an octal or a symbolic mode."""
    if re.fullmatch(r"[0-7]+", text):
        return int(text, 8) <= MOST_BITS
    return bool(text) and not text[0].isdigit() and all(CLAUSE.fullmatch(clause) for clause in text.split(","))


def is_owner(text: str) -> bool:
    """Whether `text` names a user, or a user and a group; BuildKit lets either be empty, which is root."""
    return bool(text.strip(":")) and text.count(":") <= 1


def problem_of(transfer: Copy | Add) -> tuple[str, str, str] | None:
    """The flag that cannot be, what is wrong with it, and what would be right; values with variables can be anything."""
    if transfer.mode and "$" not in transfer.mode and not is_mode(transfer.mode):
        return "chmod", f"`--chmod={transfer.mode}` is no mode", MODE_HINT
    if transfer.owner and "$" not in transfer.owner and not is_owner(transfer.owner):
        return "chown", f"`--chown={transfer.owner}` is no owner", OWNER_HINT
    return None
