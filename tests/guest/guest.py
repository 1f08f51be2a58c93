"""Runs a command in a virtual machine that has Debian's kernel and this machine's files: `run(command)`.

The files are shared read-only (9p) with a layer in memory above them, so whatever runs there leaves nothing here. The
processor is emulated, some ten times slower than this one: `/dev/kvm` of a machine that is a guest itself often hangs.
"""

from __future__ import annotations

import gzip
import io
import shlex
import shutil
import stat
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
_CACHE = Path.home() / ".cache/composer-tests/guest"
_NEEDED = ("virtio_pci", "9pnet_virtio", "9p", "overlay")
_PACKAGES = ("qemu-system-x86", "kmod")


@dataclass(frozen=True, slots=True)
class Result:
    """How a command in the guest ended; `status` is -1 where the guest never told."""

    status: int
    output: str


def run(command: str, *, memory: int = 3072, timeout: float = 900) -> Result:
    """Run a shell command in the root of this repository, as root of a fresh guest, which ends after `timeout` seconds."""
    kernel = _kernel()
    script = f"cd {shlex.quote(str(REPOSITORY))} && {{ {command}\n}}\n"
    ended = subprocess.run(
        [
            *("timeout", str(timeout)),
            "qemu-system-x86_64",
            *("-accel", "tcg,thread=multi", "-cpu", "max"),
            *("-m", str(memory), "-smp", "2", "-nographic", "-no-reboot", "-nodefaults", "-serial", "stdio"),
            *("-kernel", str(next((kernel / "boot").glob("vmlinuz-*"))), "-initrd", str(_initrd(kernel, script))),
            *("-virtfs", "local,path=/,mount_tag=machine,security_model=passthrough,readonly=on,multidevs=remap"),
            *("-append", "console=ttyS0 quiet panic=-1"),
        ],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    output = ended.stdout.replace("\r\n", "\n") + ended.stderr
    _, told, status = output.rpartition("guest-status=")
    return Result(int(status.split()[0]) if told else -1, output)


def _kernel() -> Path:
    """Debian's kernel package for this processor, unpacked; needs apt, and root for the emulator's own package."""
    place = _CACHE / "kernel"
    if shutil.which("qemu-system-x86_64") is None or shutil.which("depmod") is None:
        subprocess.run(["apt-get", "install", "-qy", "--no-install-recommends", *_PACKAGES], check=True)
    if place.is_dir():
        return place
    _CACHE.mkdir(parents=True, exist_ok=True)
    depends = subprocess.run(["apt-cache", "depends", "linux-image-amd64"], capture_output=True, text=True, check=True)
    package = next(line.split()[-1] for line in depends.stdout.splitlines() if "Depends:" in line)
    subprocess.run(["apt-get", "download", "-q", package], cwd=_CACHE, check=True)
    archive = next(_CACHE.glob("linux-image-*.deb"))
    draft = place.with_suffix(".draft")
    shutil.rmtree(draft, ignore_errors=True)
    subprocess.run(["dpkg-deb", "-x", str(archive), str(draft)], check=True)
    release = next((draft / "lib/modules").iterdir()).name
    subprocess.run(["depmod", "-b", str(draft), release], check=True)
    archive.unlink()
    draft.rename(place)
    return place


def _initrd(kernel: Path, script: str) -> Path:
    """A first file system with busybox, our `init`, the modules that reach this machine's files, and what to do there."""
    modules = next((kernel / "lib/modules").iterdir())
    order = list(dict.fromkeys(_with_dependencies(modules)))
    files: dict[str, tuple[int, bytes]] = {
        "init": (stat.S_IFREG | 0o755, Path(__file__).with_name("init").read_bytes()),
        "bin/busybox": (stat.S_IFREG | 0o755, Path("/bin/busybox").read_bytes()),
        "command": (stat.S_IFREG | 0o644, script.encode()),
        "kernel": (stat.S_IFREG | 0o644, str(kernel).encode()),
        "modules/order": (stat.S_IFREG | 0o644, "".join(f"{Path(name).name}\n" for name in order).encode()),
    }
    files |= {f"modules/{Path(name).name}": (stat.S_IFREG | 0o644, (modules / name).read_bytes()) for name in order}
    directories = dict.fromkeys(("bin", "modules", "proc", "sys", "dev"), (stat.S_IFDIR | 493, b""))
    place = _CACHE / "initrd"
    place.write_bytes(gzip.compress(_cpio(directories | files), 1))
    return place


def _with_dependencies(modules: Path) -> Iterator[str]:
    """The files of the modules that are needed, each after what it depends on (`modules.dep(5)`)."""
    depends = dict(line.split(":", 1) for line in (modules / "modules.dep").read_text().splitlines())
    for name in _NEEDED:
        for path, needs in depends.items():
            if Path(path).name.split(".")[0] == name:
                yield from (*reversed(needs.split()), path)


def _cpio(entries: dict[str, tuple[int, bytes]]) -> bytes:
    """An archive as the kernel takes it for its first file system: `newc`, see initramfs-buffer-format.rst."""
    archive = io.BytesIO()
    for inode, (name, (mode, content)) in enumerate([*entries.items(), ("TRAILER!!!", (0, b""))], start=1):
        numbers = (inode, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name) + 1, 0)
        archive.write(b"070701" + b"".join(b"%08x" % number for number in numbers))
        for part in (name.encode() + b"\0", content):
            archive.write(part)
            archive.write(b"\0" * (-archive.tell() % 4))
    return archive.getvalue()
