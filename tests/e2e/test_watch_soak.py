"""Random changes of a watched directory, with engines killed meanwhile: in the end both sides are the same."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import time
from pathlib import Path

import pytest

from tests.e2e.harness import Engine, Project, eventually
from tests.e2e.test_watch import SYNC, listing, root_of

_NAMES = [*(f"n{number}" for number in range(12)), "ünï", "with space", os.fsdecode(b"\xff"), "-x", "$HOME"]


class Mischief:
    """A developer who changes files at random, below one directory."""

    def __init__(self, top: Path, seed: int) -> None:
        self._top = top
        self._random = random.Random(seed)
        self._deeds = (
            [self._create] * 6 + [self._edit] * 6 + [self._delete] * 3 + [self._rename] * 4 + [self._chmod] * 2
            + [self._link] * 2 + [self._make_directory] * 3 + [self._remove_tree] + [self._replace] + [self._touch]
            + [self._fifo]
        )  # fmt: skip

    def act(self) -> None:
        """Do one thing; one that cannot be done is another day's."""
        with contextlib.suppress(OSError):
            self._random.choice(self._deeds)()

    def check_out(self, count: int) -> None:
        """Change many files at once."""
        for _ in range(count):
            with contextlib.suppress(OSError):
                self._random.choice((self._create, self._edit, self._delete))()

    def _directory(self) -> Path:
        place = self._top
        while self._random.random() < 0.6:
            inner = [path for path in place.iterdir() if path.is_dir() and not path.is_symlink()]
            if not inner:
                break
            place = self._random.choice(inner)
        return place

    def _new(self) -> Path:
        return self._directory() / self._random.choice(_NAMES)

    def _old(self) -> Path:
        found = list(self._directory().iterdir())
        if not found:
            raise FileNotFoundError
        return self._random.choice(found)

    def _content(self) -> bytes:
        return self._random.randbytes(self._random.choice((0, 10, 1000, 100_000)))

    def _create(self) -> None:
        path = self._new()
        if path.is_fifo() or path.is_symlink():  # a link leads elsewhere, and to open it would be to wait for a reader
            path.unlink()
        path.write_bytes(self._content())

    def _edit(self) -> None:
        path = self._old()
        if path.is_symlink() or not path.is_file():
            raise FileNotFoundError  # nor are links written through: they lead elsewhere
        how = self._random.randrange(3)
        if how == 0:
            with path.open("ab") as file:
                file.write(b"more")
        elif how == 1:
            path.write_bytes(self._content())
        else:
            saved = path.with_name(".saved")
            saved.write_bytes(self._content())
            saved.rename(path)

    def _delete(self) -> None:
        self._old().unlink()

    def _rename(self) -> None:
        self._old().rename(self._new())

    def _chmod(self) -> None:
        path = self._old()
        if not path.is_symlink():
            path.chmod(self._random.choice((0o755, 0o644, 0o700, 0o600)))

    def _link(self) -> None:
        self._new().symlink_to(self._random.choice(("n1", "../n2", "/etc/hostname", "nowhere")))

    def _make_directory(self) -> None:
        self._new().mkdir()

    def _remove_tree(self) -> None:
        path = self._old()
        if path.is_dir() and not path.is_symlink():  # a FIFO would be opened, and waited for
            shutil.rmtree(path)

    def _replace(self) -> None:
        """A file where a directory was, or the other way round."""
        path = self._old()
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
            path.write_bytes(b"a file now")
        else:
            path.unlink()
            path.mkdir()
            (path / "n1").write_bytes(b"in a directory now")

    def _touch(self) -> None:
        os.utime(self._old(), follow_symlinks=False)

    def _fifo(self) -> None:
        os.mkfifo(self._new())


def assert_same(shop: Project) -> None:
    """Both sides have become the same, and the watch says so."""
    top = shop.directory / "src"

    def differences() -> dict[str, tuple[str | None, str | None]]:
        here, there = listing(top), listing(root_of(shop) / "app")
        return {p: (here.get(p), there.get(p)) for p in here.keys() | there.keys() if here.get(p) != there.get(p)}

    eventually(
        lambda: not differences(),
        message=lambda: "\n".join(f"{path}: {str(pair)[:200]}" for path, pair in sorted(differences().items())),
    )
    assert "in sync" in shop.compose("watch", "--verify", check=True).stdout


def endure(engine: Engine, seed: int, count: int, kills: int) -> None:
    shop = engine.project(SYNC, files={"src/a.py": "one"})
    shop.up("--watch")
    mischief = Mischief(shop.directory / "src", seed)
    chance = random.Random(seed + 1)
    for number in range(count):
        mischief.act()
        if chance.random() < 0.02:
            mischief.check_out(100)
        if chance.random() < 0.2:
            time.sleep(chance.random() * 0.02)  # now within a batch, now between two
        if number % (count // (kills + 1)) == count // (kills + 1) - 1 and number < count - 1:
            engine.kill("engine")
    assert_same(shop)


@pytest.mark.parametrize("seed", [1])
def test_random_changes_end_with_the_same_on_both_sides(engine: Engine, seed: int) -> None:
    endure(engine, seed, 300, kills=1)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(3))
def test_ten_thousand_random_changes_end_with_the_same_on_both_sides(engine: Engine, seed: int) -> None:
    endure(engine, 100 + seed, 10_000, kills=2)
