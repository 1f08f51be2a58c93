"""Which platforms' programs this machine runs: its own, and those that binfmt_misc has an interpreter for.

<https://docs.kernel.org/admin-guide/binfmt-misc.html>. Interpreters are known by what they match, the header of an ELF
program (`elf(5)`), not by name: distributions call QEMU's differently. Only one that the kernel opened when it was registered
(flag `F`) is found from inside a container.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

from composer.oci.descriptor import Platform
from composer.oci.platform import parse_platform, rank, this_platform

REGISTERED = Path("/proc/sys/fs/binfmt_misc")
_RUNS_386 = Path("/proc/sys/abi/vsyscall32")
"""There where an x86-64 kernel runs 32-bit programs (CONFIG_IA32_EMULATION)."""

_MACHINES = {
    "386": (1, "<", 3),
    "mips64": (2, ">", 8),
    "mips64le": (2, "<", 8),
    "ppc64le": (2, "<", 21),
    "s390x": (2, ">", 22),
    "arm": (1, "<", 40),
    "amd64": (2, "<", 62),
    "arm64": (2, "<", 183),
    "riscv64": (2, "<", 243),
    "loong64": (2, "<", 258),
}
"""Class (1 is 32-bit), byte order and `e_machine` by architecture, as `elf.h` has them."""


def runs_here(platform: str, registered: Path = REGISTERED) -> bool:
    """Whether programs for `platform` run on this machine, in containers too. Raises ImageError for what is none."""
    return _is_native(parse_platform(platform)) or any("F" in flags for flags in _flags(platform, registered))


def obstacle(platform: str, registered: Path = REGISTERED) -> tuple[str, str]:
    """Why programs for a platform that does not run here do not, and what to do about it."""
    from difflib import get_close_matches  # for those who need it: the engine starts without

    here, wanted = this_platform(), parse_platform(platform)
    close = get_close_matches(wanted.architecture, _MACHINES, 1) if wanted.architecture not in _MACHINES else []
    near = f"did you mean `{wanted.os}/{close[0]}`?" if close else ""
    message = f"this machine is {here.os}/{here.architecture} and runs no programs for `{platform}`"
    if any(_flags(platform, registered)):
        return (
            f"{message} inside a container: their interpreter is registered without the flag `F`",
            "register it anew with `F` (fix-binary): Debian's `qemu-user-static` does",
        )
    return (
        message,
        near
        or "register QEMU with binfmt_misc (Debian: `sudo apt install qemu-user-static binfmt-support`); "
        "stages of a build that only COPY need none",
    )


def _is_native(platform: Platform) -> bool:
    here = this_platform()
    if rank(platform, here) is not None:
        return True
    # Most arm64 processors run 32-bit programs, and nothing tells which without one at hand.
    return (here.architecture, platform.architecture) == ("arm64", "arm") or (
        (here.architecture, platform.architecture) == ("amd64", "386") and _RUNS_386.exists()
    )


def _flags(platform: str, registered: Path) -> Iterator[str]:
    """The flags of every interpreter that takes programs for `platform`, behind a mark so that none is empty."""
    machine = _MACHINES.get(parse_platform(platform).architecture)
    if machine is None:
        return
    bits, order, number = machine
    identity = b"\x7fELF" + bytes([bits, 1 if order == "<" else 2, 1]) + bytes(9)
    header = identity + struct.pack(f"{order}HH", 2, number)
    try:
        entries = [entry for entry in registered.iterdir() if entry.name not in ("register", "status")]
        texts = [entry.read_text("ascii", "replace") for entry in entries]
    except OSError:
        return  # not mounted: nobody has registered anything that this process could see
    for text in texts:
        fields = dict(line.partition(" ")[::2] for line in text.splitlines())
        if "enabled" in fields and _matches(fields, header):
            yield f"+{fields.get('flags:', '')}"


def _matches(fields: dict[str, str], header: bytes) -> bool:
    try:
        magic = bytes.fromhex(fields.get("magic", ""))
        mask = bytes.fromhex(fields["mask"]) if "mask" in fields else b"\xff" * len(magic)
        start = int(fields.get("offset", "0"))
    except ValueError:
        return False
    found = header[start : start + len(magic)].ljust(len(magic), b"\0")
    return bool(magic) and all(one & bits == other & bits for one, other, bits in zip(found, magic, mask, strict=False))
