"""An interpreter for programs of another platform, registered with the kernel for a while.

What it runs are no such programs: busybox takes the name of the program that it is called for as that of an applet. So a
step "for riscv64" really goes through binfmt_misc, and needs no emulator.
"""

from __future__ import annotations

import fcntl
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PLATFORM = "linux/riscv64"
_PLACE = Path("/proc/sys/fs/binfmt_misc")
_NAME = "composer-test-riscv64"
PROGRAM = b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00\xf3\x00" + bytes(44)
"""The header of a program for riscv64, and nothing behind it."""
_MAGIC = "".join(f"\\x{byte:02x}" for byte in PROGRAM[:20])


@contextmanager
def alone() -> Iterator[None]:
    """While this is held no other test registers anything: there is one registry for the whole machine."""
    with open(Path(tempfile.gettempdir(), "composer-test-binfmt"), "w") as lock:  # noqa: PTH123
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def emulated(interpreter: Path) -> Iterator[None]:
    """While this is held programs for `PLATFORM` are run by `interpreter`, in containers too; one test at a time."""
    with alone(), _registered(interpreter):
        yield


@contextmanager
def _registered(interpreter: Path) -> Iterator[None]:
    mounted = not (_PLACE / "register").exists()
    if mounted:
        subprocess.run(["mount", "-t", "binfmt_misc", "none", _PLACE], check=True)
    try:
        (_PLACE / "register").write_text(f":{_NAME}:M::{_MAGIC}::{interpreter}:F")
        try:
            yield
        finally:
            (_PLACE / _NAME).write_text("-1")
    finally:
        if mounted:
            subprocess.run(["umount", _PLACE], check=True)
