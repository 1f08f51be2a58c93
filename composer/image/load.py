"""`compose image load`: images that another tool saved, as an OCI image layout or a Docker archive.

* OCI: `oci-layout`, `index.json` and blobs, in a directory or a tar
  <https://github.com/opencontainers/image-spec/blob/main/image-layout.md>
* Docker: a tar with `manifest.json`, layers and configs wherever that says
  <https://github.com/moby/docker-image-spec/blob/main/spec.md>; since Docker 25 `docker save` writes both into one
* skopeo's `dir:`, podman's `docker-dir`: `version`, `manifest.json` as a registry has it, and blobs by their digests
  <https://github.com/containers/image/blob/main/docs/containers-transports.5.md>

Nothing is believed: digest and size of every blob, and every layer's DiffID, are computed from the content.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from composer.errors import ImageError
from composer.image.archive import Archive, document, open_archive
from composer.image.blobs import read_document
from composer.image.image import Image
from composer.image.importing import LAYER_TYPES
from composer.image.index import REF_NAME, reference_of
from composer.image.staging import staging
from composer.image.store import Store, refuse_reserved
from composer.image.verify import check_layer
from composer.oci import fields, media_types
from composer.oci.config import ImageConfig, chain_id
from composer.oci.descriptor import Descriptor
from composer.oci.digest import Digest
from composer.oci.manifest import Index, Manifest, choose
from composer.oci.platform import this_platform
from composer.oci.reference import Reference, parse

_MAX_NESTING = 4
_MOST_PLATFORMS = 64


@dataclass(frozen=True, slots=True)
class _Found:
    """One image in an archive, before its layers were read."""

    references: tuple[Reference, ...]
    config_data: bytes
    layers: tuple[tuple[str, Descriptor | None], ...]
    """Name in the archive and, unless only the DiffID is known, what the layer should be."""
    manifest: bytes = b""
    """As it was saved; empty where the archive has none."""


@dataclass(frozen=True, slots=True)
class _Several:
    """An index whose images for several platforms are in an archive."""

    references: tuple[Reference, ...]
    images: tuple[_Found, ...]
    digest: Digest
    """Of the index."""


def load_one(store: Store, path: Path, tag: str = "", digest: str = "") -> Image | None:
    """Have one image of the layout at `path`, the first with this tag and digest; no name in the store comes to mean another.

    None where there is no such image. Raises as `load`.
    """

    def is_meant(one: _Found | _Several) -> bool:
        digests = (
            {one.digest, *(Digest.of(each.manifest) for each in one.images)}
            if isinstance(one, _Several)
            else {Digest.of(one.manifest)}
        )
        return (not tag or any(name.tag == tag for name in one.references)) and (
            not digest or digest in map(str, digests)
        )

    def chosen(found: tuple[_Found | _Several, ...]) -> tuple[_Found | _Several, ...]:
        return tuple(replace(one, references=()) for one in found if is_meant(one))[:1]

    return next(iter(_load(store, path, chosen)), None)


def load(store: Store, path: Path) -> tuple[Image, ...]:
    """Load every image at `path`, one entry for each of their names.

    Of an index all are taken that are there for Linux and stay an index, or the one that runs on this platform.

    An image without a name comes back without a reference: it can be used by its id. Blocks as long as reading and
    unpacking takes. Raises ImageError where anything is not what it says; images before that one stay loaded.
    """
    return _load(store, path, lambda found: found)


def _load(
    store: Store, path: Path, chosen: Callable[[tuple[_Found | _Several, ...]], tuple[_Found | _Several, ...]]
) -> tuple[Image, ...]:
    try:
        with store.adding(), open_archive(path, _existing(store.layout)) as archive:
            found = chosen(tuple(_images(archive, path)))
            for reference in (reference for one in found for reference in one.references):
                refuse_reserved(str(reference))
            taken: list[Image] = []
            for one in found:
                taken += _take_all(store, archive, one) if isinstance(one, _Several) else _take(store, archive, one)
            return tuple(taken)
    except OSError as error:
        raise ImageError(f"cannot load `{path}`: {(error.strerror or str(error)).lower()}") from error
    except ImageError as error:
        raise ImageError(f"cannot load `{path}`: {error.message}", hint=error.hint) from error


def _images(archive: Archive, path: Path) -> Iterator[_Found | _Several]:
    if _is_directory_transport(archive):
        yield _directory_image(archive, path)
        return
    names = _docker_names(archive) if archive.has("manifest.json") else {}
    if archive.has("index.json") and archive.has("oci-layout"):
        yield from _oci_images(archive, path, names)
    elif archive.has("manifest.json"):
        yield from _docker_images(archive)
    else:
        raise ImageError(
            "it has neither `index.json` nor `manifest.json`",
            hint=f"for a root file system: `compose image import {path} NAME`",
        )


def _oci_images(
    archive: Archive, path: Path, docker_names: Mapping[Digest, tuple[Reference, ...]]
) -> Iterator[_Found | _Several]:
    names: dict[Digest, list[Reference]] = {}
    manifests: dict[Digest, bytes] = {}
    for entry in Index.parse(document(archive, "index.json")).manifests:
        if entry.platform and entry.platform.os == "unknown":
            continue  # what BuildKit attests about the other entries
        if len(present := _present(archive, entry)) > 1:
            reference = _name(entry, path)
            images = (_found(archive, (), _blob(archive, each)) for each in present)
            yield _Several((reference,) if reference else (), tuple(images), entry.digest)
            continue
        chosen = _for_this_platform(archive, entry)
        manifests[chosen.digest] = _blob(archive, chosen)
        config = Manifest.parse(manifests[chosen.digest]).config
        known = docker_names.get(config.digest) or tuple(filter(None, [_name(entry, path)]))
        names.setdefault(chosen.digest, []).extend(known)
    for digest, data in manifests.items():
        yield _found(archive, tuple(dict.fromkeys(names[digest])), data)


def _found(archive: Archive, references: tuple[Reference, ...], data: bytes) -> _Found:
    manifest = Manifest.parse(data)
    layers = tuple((_blob_name(layer), layer) for layer in manifest.layers)
    return _Found(references, _blob(archive, manifest.config), layers, data)


def _present(archive: Archive, entry: Descriptor) -> tuple[Descriptor, ...]:
    """The images for Linux that an index lists and that are in the archive, none for what is no index."""
    if entry.media_type not in media_types.INDEXES:
        return ()
    every = Index.parse(_blob(archive, entry)).manifests[:_MOST_PLATFORMS]
    return tuple(
        each
        for each in every
        if each.media_type in media_types.MANIFESTS
        and each.platform
        and each.platform.os == "linux"
        and archive.has(_blob_name(each))
    )


def _for_this_platform(archive: Archive, entry: Descriptor) -> Descriptor:
    for _ in range(_MAX_NESTING):
        if entry.media_type not in media_types.INDEXES:
            return entry
        chosen = choose(Index.parse(_blob(archive, entry)).manifests, this_platform())
        if chosen is None:
            raise ImageError(f"image {entry.digest} is not there for {this_platform()}")
        entry = chosen
    raise ImageError(f"index {entry.digest} is nested too deep")


def _is_directory_transport(archive: Archive) -> bool:
    return archive.has("version") and document(archive, "version").startswith(b"Directory Transport Version")


def _directory_image(archive: Archive, path: Path) -> _Found:
    """The image in a directory of skopeo's, which has no name there: it gets the directory's."""
    data = document(archive, "manifest.json")
    if "manifests" in fields.parse_object(data, "`manifest.json`"):
        chosen = choose(Index.parse(data).manifests, this_platform())
        if chosen is None:
            raise ImageError(f"the image is not there for {this_platform()}")
        with archive.open(f"{chosen.digest.hex}.manifest.json") as file:
            data = read_document(file, chosen)
    manifest = Manifest.parse(data)
    with archive.open(manifest.config.digest.hex) as file:
        config = read_document(file, manifest.config)
    layers = tuple((layer.digest.hex, layer) for layer in manifest.layers)
    name = _named(path, "latest")
    return _Found((name,) if name else (), config, layers, data)


def _name(entry: Descriptor, path: Path) -> Reference | None:
    """The name an entry has; where it is only a tag, as umoci and skopeo write it, the archive's name comes before."""
    if reference := reference_of(entry):
        return reference
    return _named(path, entry.annotations.get(REF_NAME, "latest"))


def _named(path: Path, tag: str) -> Reference | None:
    """The name of an archive with a tag, if that is one."""
    stem = path.resolve().name.split(".")[0]
    try:
        return parse(f"{stem}:{tag}")
    except ImageError:
        return None


def _docker_names(archive: Archive) -> dict[Digest, tuple[Reference, ...]]:
    """Config digest -> names, from a combined archive."""
    names = {}
    for item in _docker_manifest(archive):
        config = Digest.of(document(archive, fields.text(item, "Config")))
        names[config] = tuple(parse(tag) for tag in fields.texts(item, "RepoTags"))
    return names


def _docker_images(archive: Archive) -> Iterator[_Found]:
    for item in _docker_manifest(archive):
        name = fields.text(item, "Config")
        data = document(archive, name)
        stem = name.rpartition("/")[2].removesuffix(".json")
        if len(stem) == 64 and stem != Digest.of(data).hex:
            raise ImageError(f"config `{name}` has the digest {Digest.of(data)}")
        layers = tuple((layer, None) for layer in fields.texts(item, "Layers"))
        yield _Found(tuple(parse(tag) for tag in fields.texts(item, "RepoTags")), data, layers)


def _docker_manifest(archive: Archive) -> list[Mapping[str, Any]]:
    try:
        items = json.loads(document(archive, "manifest.json"))
    except (ValueError, RecursionError) as error:
        raise ImageError(f"`manifest.json` is not JSON ({error})") from error
    if not isinstance(items, list):
        raise ImageError("`manifest.json` is no list of images")
    return [fields.expect_object(item, "`manifest.json`") for item in items]


def _take_all(store: Store, archive: Archive, found: _Several) -> list[Image]:
    images = [image for one in found.images for image in _take(store, archive, one)]
    first = store.add_index(images, found.references)
    return [replace(first, reference=reference) for reference in found.references] or [first]


def _take(store: Store, archive: Archive, found: _Found) -> Iterator[Image]:
    config = ImageConfig.parse(found.config_data)
    if config.os not in ("", "linux"):
        raise ImageError(f"the image is for {config.os}, not for Linux")
    if len(found.layers) != len(config.diff_ids):
        raise ImageError(f"the image has {len(found.layers)} layers, its config names {len(config.diff_ids)}")
    layers: list[Descriptor] = []
    below: Digest | None = None
    for (name, wanted), diff_id in zip(found.layers, config.diff_ids, strict=True):
        layers.append(_take_layer(store, archive, name, wanted, diff_id, below))
        below = chain_id(below, diff_id)
    store.blobs.put(found.config_data)
    manifest = Manifest(Descriptor.of(media_types.OCI_CONFIG, found.config_data), tuple(layers))
    for reference in found.references or (None,):
        yield store.add(found.manifest or manifest.to_bytes(), reference)


def _take_layer(
    store: Store, archive: Archive, name: str, wanted: Descriptor | None, diff_id: Digest, below: Digest | None
) -> Descriptor:
    """Store and unpack one layer, unless it is there already; the descriptor of what is stored."""
    known = wanted
    if known is None and (size := store.blobs.size(diff_id)) is not None:
        known = Descriptor(media_types.OCI_LAYER, diff_id, size)  # `docker save` does not compress layers
    if known and store.blobs.has(known) and store.snapshots.has(chain_id(below, diff_id)):
        return known
    with archive.open(name) as source, staging(store.layout) as directory:
        blob = directory / "layer"
        with blob.open("wb") as copy:
            unpacked = store.snapshots.unpack(source, below, copy, expected=diff_id)
        content = unpacked.content
        if wanted:
            check_layer(wanted, content.digest, content.size)
        store.blobs.adopt(blob, content.digest)
    return wanted or Descriptor(LAYER_TYPES[unpacked.compression], content.digest, content.size)


def _blob(archive: Archive, descriptor: Descriptor) -> bytes:
    with archive.open(_blob_name(descriptor)) as file:
        return read_document(file, descriptor)


def _blob_name(descriptor: Descriptor) -> str:
    return f"blobs/{descriptor.digest.algorithm}/{descriptor.digest.hex}"


def _existing(directory: Path) -> Path:
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    return directory
