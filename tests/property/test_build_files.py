"""COPY of any tree gives that tree, over any base; and a chain of layers looks as overlay shows it."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from composer.build.files import ContentCache, FilesError, copy, inventory, open_chain, open_context, select, selected
from composer.image.ownership import Ownership
from tests.property.test_layers import _trees, make

_few = st.sampled_from([b"a", b"b", b"c"])
_leaf = (
    st.tuples(st.just("file"), st.binary(max_size=3), st.sampled_from([0o644, 0o4755]), st.just(1_000_000_000))
    | st.tuples(st.just("link"), st.sampled_from([b"a", b"/b", b"../c", b"a/b", b"nowhere"]))
    | st.just(("whiteout",))
)
_small = st.recursive(
    _leaf,
    lambda children: st.tuples(
        st.just("directory"),
        st.dictionaries(_few, children, max_size=3),
        st.sampled_from([0o755, 0o1700]),
        st.booleans(),
    ),
    max_leaves=8,
)
_layer = st.dictionaries(_few, _small, max_size=3)


def put(directory: bytes, tree: Mapping[bytes, tuple], *, marks: bool) -> None:  # type: ignore[type-arg]
    """A layer with overlay's marks, or without them."""
    for name, node in tree.items():
        path = os.path.join(directory, name)  # noqa: PTH118 - names are bytes
        match node:
            case ("whiteout",):
                if marks:
                    os.mknod(path, 0o20600, os.makedev(0, 0))
            case ("directory", children, mode, opaque):
                os.mkdir(path)  # noqa: PTH102
                put(path, children, marks=marks)
                os.chmod(path, mode)  # noqa: PTH101
                if opaque and marks:
                    os.setxattr(path, "trusted.overlay.opaque", b"y")
            case _:
                make(directory, {name: node})


def fresh(path: Path) -> Path:
    path.mkdir()
    return path


@settings(deadline=None, max_examples=60)
@given(_trees)
def test_a_copy_of_a_tree_is_that_tree(tree: Mapping[bytes, tuple]) -> None:  # type: ignore[type-arg]
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        make(os.fsencode(fresh(root / "context")), tree)
        (root / "context/.dockerignore").unlink(missing_ok=True)
        contents = ContentCache(root / "cache.db")
        source = select(open_context(root / "context", contents), ["."])

        copy([source], fresh(root / "upper"), [], "/", Ownership())

        copied = select(open_context(root / "upper", contents), ["."])
        assert selected(copied) == selected(source)
        assert copied.digest == source.digest
        for path in (root / "upper").rglob("*"):
            twin = root / "context" / path.relative_to(root / "upper")
            assert path.lstat().st_mtime_ns == twin.lstat().st_mtime_ns
        contents.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to mount overlay")
@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(_layer, min_size=1, max_size=3), _layer, st.sampled_from(["/", "/a", "/a/", "/b/c/"]))
def test_what_is_copied_is_what_overlay_then_shows(
    layers: list[Mapping[bytes, tuple]],  # type: ignore[type-arg]
    tree: Mapping[bytes, tuple],  # type: ignore[type-arg]
    to: str,
) -> None:
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        for index, layer in enumerate(layers):
            put(os.fsencode(fresh(root / f"l{index}")), layer, marks=True)
        put(os.fsencode(fresh(root / "context")), tree, marks=False)
        contents = ContentCache(root / "cache.db")
        chain = [root / f"l{index}" for index in reversed(range(len(layers)))]
        before = inventory(open_chain(chain, contents, name="base"))
        with mounted(chain, root / "mount0") as shown:
            assert before == inventory(open_chain([shown], contents, name="mount"))
        source = select(open_context(root / "context", contents), ["."])
        try:
            copy([source], fresh(root / "upper"), chain, to, Ownership())
        except FilesError:
            return  # something is in the way, as it may be
        after = inventory(open_chain([root / "upper", *chain], contents, name="result"))
        with mounted([root / "upper", *chain], root / "mount1") as shown:
            assert after == inventory(open_chain([shown], contents, name="mount"))
        lost = {path for path in before if path not in after}
        assert lost == set()
        contents.close()


class mounted:  # noqa: N801 - reads as a verb
    """Layers, topmost first, as overlay shows them."""

    def __init__(self, layers: list[Path], at: Path) -> None:
        self._layers = layers
        self._at = at

    def __enter__(self) -> Path:
        self._at.mkdir()
        empty = self._at.with_name(self._at.name + "-empty")
        empty.mkdir()
        lower = ":".join(str(path) for path in [*self._layers, empty])  # overlay wants two at least
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o", f"ro,lowerdir={lower}", str(self._at)], check=True)
        return self._at

    def __exit__(self, *_: object) -> None:
        subprocess.run(["umount", str(self._at)], check=True)
        shutil.rmtree(self._at)
