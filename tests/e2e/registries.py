"""What scenarios put into registries."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

from tests.make.image import Made, busybox_rootfs, entry, tar


def busybox_image(scratch: Path, *more: bytes, greeting: str = "hello") -> Made:
    """An image that runs: busybox, a layer with `/greeting`, and further layers."""
    rootfs = busybox_rootfs(scratch / f"rootfs-{greeting}")
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.add(rootfs, ".")
    idle = ("sh", "-c", "trap 'exit 0' TERM INT; cat /greeting; sleep infinity & wait")
    layers = (buffer.getvalue(), tar(entry("greeting", f"{greeting}\n".encode())), *more)
    return Made(layers, settings={"cmd": idle, "env": ("PATH=/bin",)}, compress=True)
