"""Some space that is put by in the data directory, for what has to be written to free some where there is none left.

An index without an image, a log of SQLite: on a disk that is full to the last block nothing could be deleted any more, and no
engine started that would.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

SIZE = 256 << 10
_NAME = "reserve"


def put_by(data: Path) -> None:
    """Have the reserve in the directory `data`, if the disk has room for it."""
    path = data / _NAME
    with suppress(OSError):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, SIZE)
        except OSError:
            path.unlink()
        finally:
            os.close(descriptor)


def give_up(data: Path) -> bool:
    """Use the reserve up; whether there was one."""
    try:
        (data / _NAME).unlink()
    except OSError:
        return False
    return True
