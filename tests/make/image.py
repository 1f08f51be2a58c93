"""Builders of small images: root file systems, layers as tar archives, and archives as other tools save them."""

from __future__ import annotations

import gzip
import io
import json
import os
import shutil
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from composer.image.image import Image
from composer.image.importing import import_rootfs
from composer.image.store import Store
from composer.oci.config import ImageConfig
from composer.oci.descriptor import Descriptor
from composer.oci.digest import Digest
from composer.oci.manifest import Index, Manifest
from composer.oci.media_types import OCI_CONFIG, OCI_LAYER, OCI_LAYER_GZIP
from composer.oci.platform import this_platform

BUSYBOX = Path("/bin/busybox")
"""Debian's busybox-static."""

_APPLETS = (
    "ash cat chmod chown cp cut date dd df du echo env expr false find grep head hostname httpd id ifconfig ip kill ln "
    "ls mkdir mknod mktemp mount mv nc netstat nslookup od ping printf ps pwd readlink rm rmdir route sed seq sh sleep "
    "sort stat stty sync tail tar tee test time timeout top touch tr true tty umount uname uniq usleep vi wc wget which "
    "whoami xargs yes"
)


def busybox_rootfs(path: Path, files: Mapping[str, str] | None = None) -> Path:
    """A root file system at `path` with busybox, its applets, root and `app` (1000) as users, and `files` by name."""
    for directory in ("bin", "dev", "etc", "home/app", "proc", "root", "sys", "tmp", "usr/bin", "var/lib", "run"):
        (path / directory).mkdir(parents=True, exist_ok=True)
    (path / "tmp").chmod(0o1777)
    shutil.copy(BUSYBOX, path / "bin/busybox")
    for applet in _APPLETS.split():
        (path / "bin" / applet).symlink_to("busybox")
    texts = {
        "etc/passwd": "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000:app:/home/app:/bin/sh\n",
        "etc/group": "root:x:0:\napp:x:1000:\nextra:x:2000:app\n",
        **(files or {}),
    }
    for name, text in texts.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(text)
    for file in sorted(path.rglob("*")):
        os.utime(file, (1_700_000_000, 1_700_000_000), follow_symlinks=False)
    return path


def import_busybox(
    store: Store, scratch: Path, reference: str = "busybox", changes: Sequence[str] = ('CMD ["sh"]',)
) -> Image:
    """Make a busybox image in `store`; `scratch` is a directory for its root file system."""
    return import_rootfs(store, busybox_rootfs(scratch / "busybox-rootfs"), reference, changes)


def entry(name: str, content: bytes | None = None, **attributes: Any) -> tuple[tarfile.TarInfo, bytes]:
    """An entry for `tar`: a file with `content`, or of `type`; attributes as `tarfile.TarInfo` has them."""
    info = tarfile.TarInfo(name)
    info.size = len(content or b"")
    info.mode = attributes.pop("mode", 0o755 if attributes.get("type") == tarfile.DIRTYPE else 0o644)
    for key, value in attributes.items():
        setattr(info, key, value)
    return info, content or b""


def directory(name: str, **attributes: Any) -> tuple[tarfile.TarInfo, bytes]:
    """A directory for `tar`."""
    return entry(name, type=tarfile.DIRTYPE, **attributes)


def symlink(name: str, target: str, **attributes: Any) -> tuple[tarfile.TarInfo, bytes]:
    """A symlink for `tar`."""
    return entry(name, type=tarfile.SYMTYPE, linkname=target, **attributes)


def hardlink(name: str, target: str, **attributes: Any) -> tuple[tarfile.TarInfo, bytes]:
    """A hardlink for `tar`."""
    return entry(name, type=tarfile.LNKTYPE, linkname=target, **attributes)


def tar(*entries: tuple[tarfile.TarInfo, bytes], format: int = tarfile.PAX_FORMAT) -> bytes:  # noqa: A002  # tarfile's word
    """A tar archive of `entries`, as the standard library writes it, hostile names included."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=format) as archive:
        for info, content in entries:
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


@dataclass(frozen=True)
class Made:
    """An image to be put into an archive: uncompressed layers from the bottom up, and what its config says."""

    layers: tuple[bytes, ...]
    names: tuple[str, ...] = ("app:1",)
    settings: Mapping[str, Any] = field(default_factory=dict)
    compress: bool = False

    @property
    def config(self) -> bytes:
        """The image's config."""
        platform = this_platform()
        diff_ids = tuple(Digest.of(layer) for layer in self.layers)
        return ImageConfig(platform.architecture, platform.os, diff_ids, **self.settings).to_bytes()

    @property
    def blobs(self) -> tuple[bytes, ...]:
        """The layers as they are stored."""
        return tuple(gzip.compress(layer, mtime=0) if self.compress else layer for layer in self.layers)

    @property
    def manifest(self) -> Manifest:
        """The image's manifest."""
        kind = OCI_LAYER_GZIP if self.compress else OCI_LAYER
        return Manifest(Descriptor.of(OCI_CONFIG, self.config), tuple(Descriptor.of(kind, blob) for blob in self.blobs))


def oci_layout(path: Path, images: Iterable[Made], key: str = "org.opencontainers.image.ref.name") -> Path:
    """An OCI image layout in the directory `path`, the images' names in the annotation `key`."""
    for name, data in _layout_files(images, key).items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return path


def oci_archive(path: Path, images: Iterable[Made]) -> Path:
    """An OCI image layout as a tar."""
    path.write_bytes(tar(*(entry(name, data) for name, data in _layout_files(images).items())))
    return path


def docker_archive(path: Path, images: Sequence[Made], combined: bool = False) -> Path:
    """What `docker save` writes; `combined` as since version 25, with an OCI layout in the same archive."""
    files = _layout_files(images, "io.containerd.image.name") if combined else {}
    manifest = []
    for image in images:
        config = Digest.of(image.config)
        config_name = f"blobs/sha256/{config.hex}" if combined else f"{config.hex}.json"
        files[config_name] = image.config
        layers = []
        for blob in image.blobs:
            name = f"blobs/sha256/{Digest.of(blob).hex}" if combined else f"{Digest.of(blob).hex}/layer.tar"
            files[name] = blob
            layers.append(name)
        manifest.append({"Config": config_name, "RepoTags": list(image.names) or None, "Layers": layers})
    files["manifest.json"] = json.dumps(manifest).encode()
    path.write_bytes(tar(*(entry(name, data) for name, data in files.items())))
    return path


def _layout_files(images: Iterable[Made], key: str = "org.opencontainers.image.ref.name") -> dict[str, bytes]:
    files = {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}'}
    entries = []
    for image in images:
        manifest = image.manifest.to_bytes()
        for data in (*image.blobs, image.config, manifest):
            files[f"blobs/sha256/{Digest.of(data).hex}"] = data
        descriptor = Descriptor.of(image.manifest.media_type, manifest)
        entries += [descriptor.annotated({key: name}) for name in image.names] or [descriptor]
    files["index.json"] = Index(tuple(entries)).to_bytes()
    return files
