"""Whether content is what descriptors and configs say of it."""

from __future__ import annotations

from composer.errors import ImageError
from composer.oci.config import ImageConfig
from composer.oci.descriptor import Descriptor
from composer.oci.digest import Digest
from composer.oci.manifest import Manifest


def check_layer(layer: Descriptor, digest: Digest, size: int) -> None:
    """Raise ImageError if content with `digest` and `size` is not what `layer` describes."""
    if digest != layer.digest:
        raise ImageError(f"cannot use layer {layer.digest}: its content has the digest {digest}")
    if size != layer.size:
        raise ImageError(f"cannot use layer {layer.digest}: it has {size} bytes instead of {layer.size}")


def check_layers(manifest: Manifest, config: ImageConfig) -> None:
    """Raise ImageError if the config does not name as many layers as the manifest."""
    if len(manifest.layers) != len(config.diff_ids):
        raise ImageError(
            f"cannot use image {manifest.config.digest}: its manifest has {len(manifest.layers)} layers, "
            f"its config {len(config.diff_ids)}"
        )
