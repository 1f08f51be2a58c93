"""Which of the platforms that a build names is built here: this machine's, or one that binfmt_misc has an interpreter for.

<https://docs.kernel.org/admin-guide/binfmt-misc.html>: each registered interpreter is a file, QEMU's are called by architecture.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from composer.errors import ImageError, UsageError
from composer.oci.platform import parse_platform, rank, this_platform

_REGISTERED = Path("/proc/sys/fs/binfmt_misc")
_MACHINES = {
    "amd64": "x86_64",
    "arm64": "aarch64",
    "386": "i386",
    "riscv64": "riscv64",
    "ppc64le": "ppc64le",
    "s390x": "s390x",
    "arm": "arm",
    "loong64": "loongarch64",
    "mips64le": "mips64el",
}


def choose_platform(wanted: str, offered: Sequence[str], registered: Path = _REGISTERED) -> str:
    """The platform to build for, "" where nothing names one: `wanted` if said, else the first of `offered` that runs here.

    Raises:
        UsageError: none of them runs here, or `wanted` is none of those that the build is for.
    """
    try:
        if wanted and offered and parse_platform(wanted) not in map(parse_platform, offered):
            listed = ", ".join(f"`{each}`" for each in offered)
            raise UsageError(f"`{wanted}` is not among {listed}", hint="add it, or leave the service's `platform` out")
        candidates = [wanted] if wanted else sorted(offered, key=_distance)
        if not candidates:
            return ""
        chosen = next((each for each in candidates if _runs(each, registered)), None)
    except ImageError as error:
        raise UsageError(error.message, hint=error.hint) from error
    if chosen is None:
        here = this_platform()
        listed = " nor ".join(f"`{each}`" for each in candidates)
        raise UsageError(
            f"this machine is {here.os}/{here.architecture} and runs no programs for {listed}",
            hint="install QEMU's user mode with binfmt support (Debian: `apt install qemu-user-static`)",
        )
    return chosen


def _distance(platform: str) -> int:
    """This machine's own platform first, others in the order of the file."""
    return int(rank(parse_platform(platform), this_platform()) is None)


def _runs(platform: str, registered: Path) -> bool:
    parsed = parse_platform(platform)
    if rank(parsed, this_platform()) is not None:
        return True
    name = _MACHINES.get(parsed.architecture, parsed.architecture)
    try:
        return (registered / f"qemu-{name}").read_text().startswith("enabled")
    except OSError:
        return False
