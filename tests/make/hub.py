"""Docker Hub as the tests have it: Debian's docker-registry on loopback, stocked with images from Debian packages.

    with running_hub(directory) as hub:
        hub.settings        the text of a registries.toml that makes it the mirror of docker.io

So projects say `FROM python:3.11-slim` and `image: postgres:15` as anybody would. The content is made once, in the cache that
`debian.py` uses, and only read afterwards.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from isal import igzip

from composer.image.changes import apply_changes
from composer.oci.config import History, ImageConfig
from composer.oci.descriptor import Descriptor
from composer.oci.digest import Digest
from composer.oci.manifest import Index, Manifest
from composer.oci.media_types import OCI_CONFIG, OCI_LAYER_GZIP
from composer.oci.platform import this_platform
from tests.make.debian import build, cache_directory
from tests.make.debian_recipes import Recipe
from tests.make.hub_recipes import ALL, NAMES
from tests.make.registry import Registry, running_registry

_CREATED = "2024-01-01T00:00:00Z"
_BLOCK = 1 << 20


@dataclass(frozen=True)
class Hub:
    """One that runs."""

    registry: Registry

    @property
    def settings(self) -> str:
        """registries.toml."""
        return f'[registry."docker.io"]\nmirrors = ["http://{self.registry.name}"]\n'


@contextmanager
def running_hub(directory: Path) -> Iterator[Hub]:
    """The hub, until the end of the block; `directory` is for its configuration and log."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "data").symlink_to(stocked())
    read_only: dict[str, Any] = {"storage": {"maintenance": {"readonly": {"enabled": True}}}}
    with running_registry(directory, **read_only) as registry:
        yield Hub(registry)


def stocked() -> Path:
    """A registry's directory with all of `NAMES`, from the cache or made now; concurrent callers wait for each other."""
    tars = build(list(NAMES))
    named = json.dumps([(tar.name, ALL[name].changes, NAMES[name]) for name, tar in sorted(tars.items())])
    cache = cache_directory()
    target = cache / f"hub-{hashlib.sha256(named.encode()).hexdigest()[:12]}"
    with (cache / "hub.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.exists():
            with tempfile.TemporaryDirectory(prefix="build-", dir=cache) as scratch:
                for older in cache.glob(f"hub-{'[0-9a-f]' * 12}"):
                    shutil.rmtree(older)
                _fill(Path(scratch), tars)
                (Path(scratch) / "registry/data").rename(target)
    return target


def _fill(scratch: Path, tars: dict[str, Path]) -> None:
    with running_registry(scratch / "registry") as registry:
        for name, tar in tars.items():
            layout = scratch / name
            _lay_out(layout, ALL[name], tar)
            for reference in NAMES[name]:
                target = f"docker://{registry.name}/library/{reference}"
                registry.copy(f"oci:{layout}", target, "--dest-tls-verify=false")
            shutil.rmtree(layout)


def _lay_out(layout: Path, recipe: Recipe, tar: Path) -> None:
    """The image of a recipe as an OCI image layout; its times are fixed, so that its digests are."""
    blobs = layout / "blobs/sha256"
    blobs.mkdir(parents=True)
    layer, diff_id = _compress(tar, blobs)
    platform = this_platform()
    bare = ImageConfig(platform.architecture, platform.os, (diff_id,), created=_CREATED)
    config = replace(
        apply_changes(bare, recipe.changes), history=(History(_CREATED, f"{recipe.name} from Debian packages"),)
    ).to_bytes()
    manifest = Manifest(Descriptor.of(OCI_CONFIG, config), (layer,))
    document = manifest.to_bytes()
    for data in (config, document):
        (blobs / Digest.of(data).hex).write_bytes(data)
    (layout / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    (layout / "index.json").write_bytes(Index((Descriptor.of(manifest.media_type, document),)).to_bytes())


def _compress(tar: Path, blobs: Path) -> tuple[Descriptor, Digest]:
    """The layer's descriptor and DiffID; its blob is in place."""
    plain, packed = hashlib.sha256(), blobs / "layer"
    with tar.open("rb") as source, packed.open("wb") as target:
        writer = cast("Any", igzip.IGzipFile)(fileobj=target, mode="wb", compresslevel=1, mtime=0)
        while block := source.read(_BLOCK):
            plain.update(block)
            writer.write(block)
        writer.close()
    with packed.open("rb") as written:
        digest = hashlib.file_digest(written, "sha256").hexdigest()
    size = packed.stat().st_size
    packed.rename(blobs / digest)
    return Descriptor(OCI_LAYER_GZIP, Digest.parse(f"sha256:{digest}"), size), Digest.parse(
        f"sha256:{plain.hexdigest()}"
    )
