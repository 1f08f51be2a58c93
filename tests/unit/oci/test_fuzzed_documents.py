"""JSON of any shape: a document is understood or refused with a sentence, never with a traceback."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from composer.errors import ImageError
from composer.oci.config import ImageConfig
from composer.oci.manifest import Index, Manifest

KEYS = """
schemaVersion mediaType config layers manifests digest size annotations platform os architecture variant rootfs type
diff_ids history created empty_layer User Env Cmd Entrypoint Labels Volumes ExposedPorts Healthcheck Test Interval
"""
keys = st.sampled_from(KEYS.split())
leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(st.characters(), max_size=8),
    st.just("\ud800"),
    st.sampled_from(["layers", "sha256:" + "a" * 64, "application/vnd.oci.image.config.v1+json", 2]),
)
values = st.recursive(leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=6))


@given(st.dictionaries(keys, values, max_size=8))
def test_any_object_is_a_document_or_refused(document: dict[str, Any]) -> None:
    data = json.dumps(document).encode()
    for read in (Manifest.parse, Index.parse, ImageConfig.parse):
        with suppress(ImageError):
            parsed = read(data)
            assert read(parsed.to_bytes()) == parsed


@given(st.binary())
def test_any_bytes_are_a_document_or_refused(data: bytes) -> None:
    for read in (Manifest.parse, Index.parse, ImageConfig.parse):
        with suppress(ImageError):
            read(data)
