"""From a solved graph to an image in the store: configuration and history as BuildKit writes them, layers as snapshots.

No blob of a layer is written: the manifest names the uncompressed layer, whose digest is its DiffID, and whoever needs the
bytes has them made (`image.materialise`). The same layers and instructions give the same image id again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from composer.build.exchange.document import CacheDocument, within
from composer.build.history import COMMENT
from composer.build.layers import Digests, Layer
from composer.build.operations import BaseOperation, Graph
from composer.errors import ImageError
from composer.image.image import Image
from composer.image.store import Store
from composer.oci import media_types
from composer.oci.config import History, ImageConfig
from composer.oci.descriptor import Descriptor
from composer.oci.manifest import Manifest
from composer.oci.reference import Reference

_AS_OCI = {
    media_types.DOCKER_LAYER: media_types.OCI_LAYER,
    media_types.DOCKER_LAYER_GZIP: media_types.OCI_LAYER_GZIP,
    media_types.DOCKER_LAYER_ZSTD: media_types.OCI_LAYER_ZSTD,
}


async def new_layers(top: Layer | None) -> list[tuple[Layer, Digests]]:
    """The layers that steps made, from the bottom up, once their digests are known."""
    made = [layer for layer in top.stack if layer.made] if top is not None else []
    return [(layer, await layer.digests) for layer in reversed(made)]


def commit(
    store: Store,
    graph: Graph,
    made: Sequence[tuple[Layer, Digests]],
    names: Sequence[Reference],
    inline: CacheDocument | None = None,
) -> tuple[Image, bool]:
    """The image of a target whose steps made these layers, with these names; and whether anything is new.

    With `inline`, its config tells of its steps. To be called while `Store.adding`.
    """
    base = _base(graph)
    data = image_config(graph, made).to_bytes()
    if inline is not None:
        data = within(data, inline)
    descriptor = Descriptor.of(media_types.OCI_CONFIG, data)
    found = [_named(store, name) for name in names]
    if names and found[0] is not None and all(one is not None and one.id == str(descriptor.digest) for one in found):
        return found[0], False
    layers = list(_base_layers(store, base))
    layers += [
        Descriptor(media_types.OCI_LAYER, digests.diff_id, digests.size) for _, digests in made if digests.diff_id
    ]
    store.blobs.put(data)
    manifest = Manifest(descriptor, tuple(layers)).to_bytes()
    image = store.add(manifest, names[0] if names else None)
    for name in names[1:]:
        store.add(manifest, name)
    return image, True


def _named(store: Store, name: Reference) -> Image | None:
    """What has the name so far; what is damaged counts as nothing, and is replaced."""
    try:
        return store.find(str(name))
    except ImageError:
        return None


def image_config(graph: Graph, made: Sequence[tuple[Layer, Digests]]) -> ImageConfig:
    """The target's configuration with the new layers and their history."""
    epoch = None if graph.epoch is None else time_text(graph.epoch * 1_000_000_000)
    layers = iter(made)
    entries: list[History] = []
    for change in graph.changes:
        if change.vertex < 0:
            entries.append(History(epoch or "", change.created_by, COMMENT, empty_layer=True))
        else:
            layer, digests = next(layers)
            created = epoch or time_text(layer.created)
            entries.append(History(created, change.created_by, COMMENT, empty_layer=digests.diff_id is None))
    history = _with_times((*graph.config.history, *entries))
    diff_ids = (*graph.config.diff_ids, *(digests.diff_id for _, digests in made if digests.diff_id))
    created = epoch or (history[-1].created if history else "")
    return replace(graph.config, created=created, diff_ids=diff_ids, history=tuple(history))


def _with_times(history: Sequence[History]) -> list[History]:
    """Changes of the configuration get the time of the layer before them, the first of them that of the first new layer.

    As `normalizeLayersAndHistory` in BuildKit's image exporter.
    """
    created, without = "", False
    for entry in history:
        if entry.created:
            created = entry.created
            if without:
                break
        else:
            without = True
    result: list[History] = []
    without = False
    for entry in history:
        if entry.created:
            created = entry.created if without else created
            result.append(entry)
        else:
            without = True
            result.append(replace(entry, created=created))
    return result


def time_text(nanoseconds: int) -> str:
    """RFC 3339 with as many digits as count, as Go writes times."""
    seconds, fraction = divmod(nanoseconds, 1_000_000_000)
    digits = f"{fraction:09d}".rstrip("0")
    moment = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{moment}.{digits}Z" if digits else f"{moment}Z"


def _base(graph: Graph) -> Image | None:
    """The image at the bottom of the target."""
    vertex = graph[graph.target]
    while vertex.base >= 0:
        vertex = graph[vertex.base]
    return vertex.operation.image if isinstance(vertex.operation, BaseOperation) else None


def _base_layers(store: Store, base: Image | None) -> Sequence[Descriptor]:
    if base is None or base.manifest is None:
        return ()
    manifest = Manifest.parse(store.blobs.path(base.manifest).read_bytes())
    return [replace(layer, media_type=_AS_OCI.get(layer.media_type, layer.media_type)) for layer in manifest.layers]
