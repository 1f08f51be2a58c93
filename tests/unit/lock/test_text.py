"""A lock as text, and what is told of texts that are none."""

from __future__ import annotations

import tomllib
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from composer.errors import HostError, ProjectError
from composer.lock.model import Lock, LockedImage, LockedPackages
from composer.lock.reading import LARGEST, parse_lock, read
from composer.lock.writing import save, write
from tests.unit.lock.examples import digest, image, whole

WRITTEN = f"""\
# Made by `compose lock`: what each name that this project uses means, for everybody who works on it. Commit it.
# `compose lock --update` moves it on, `compose lock --diff` tells what has moved.
version = 1

[download."https://example.com/tool.tar.gz"]
checksum = "sha256:{"c" * 64}"
locked = 2025-03-01T12:00:00Z
used_by = ["web/Dockerfile"]

[git."https://example.com/tool.git#v1"]
commit = "{"d" * 40}"
locked = 2025-03-01T12:00:00Z
used_by = ["web/Dockerfile"]

[image."redis:7"]
digest = "sha256:{"a" * 64}"
created = 2025-03-01T12:00:00Z
size = 41000000
source = "docker.io"
locked = 2025-03-01T12:00:00Z
used_by = ["cache"]

[image."redis:7".platforms]
"linux/amd64" = "sha256:{"b" * 64}"

[packages."redis:7"]
digest = "sha256:{"b" * 64}"
platform = "linux/amd64"

[packages."redis:7".debian]
"libstdc++6" = "12.2"
openssl = "3.0.15"

[packages."redis:7".npm]
semver = ["5.7.1", "7.5.4"]
"""


def problems(text: str | bytes) -> list[tuple[int, str]]:
    """What is told of a text: lines and messages."""
    with pytest.raises(ProjectError) as refused:
        parse_lock(text if isinstance(text, bytes) else text.encode(), "compose.lock")
    return [(each.location.line if each.location else 0, each.message) for each in refused.value.diagnostics]


def test_a_lock_is_sorted_and_reads_back_as_it_was() -> None:
    assert write(whole()) == WRITTEN
    assert parse_lock(WRITTEN.encode(), "compose.lock") == whole()


def test_who_only_runs_a_project_does_not_read_the_packages() -> None:
    lock = parse_lock((WRITTEN + "[packages.broken").encode(), "compose.lock", packages=False)

    assert lock.images == whole().images
    assert lock.packages == {}


def test_tables_behind_the_packages_count_all_the_same() -> None:
    moved = WRITTEN + '\n[image."postgres:16"]\ndigest = "sha256:' + "e" * 64 + '"\n'

    assert set(parse_lock(moved.encode(), "compose.lock", packages=False).images) == {"redis:7", "postgres:16"}


@pytest.mark.parametrize(
    ("change", "line", "message"),
    [
        (("digest =", "<<<<<<< HEAD\ndigest ="), 16, "a merge has left a conflict in it"),
        (("digest =", ">>>>>>> theirs\ndigest ="), 16, "a merge has left a conflict in it"),
        (("version = 1", "version = 2"), 3, "it has version 2, this composer knows 1"),
        (("version = 1", "version = true"), 3, "`version = 1` is missing"),
        (("version = 1\n", ""), 1, "`version = 1` is missing"),
        (('digest = "sha256:a', 'digest = "sha256:A'), 16, "64 lower-case hexadecimal digits"),
        (('digest = "sha256:a', 'digest = "md5:a'), 16, "only `sha256:` is understood"),
        ((f'digest = "sha256:{"a" * 64}"\n', ""), 15, "`digest` is missing"),
        (('"linux/amd64" = "sha256:b', '"linux/amd64" = "sha256:B'), 24, "64 lower-case hexadecimal digits"),
        (('"linux/amd64"', '"no platform!"'), 15, "cannot use `no platform!` as a platform"),
        (("size = 41000000", "size = true"), 18, "`size` is of the wrong type, expected a number"),
        (("size = 41000000", "weight = 3"), 18, "`weight` is nothing that stands here"),
        (("locked = 2025-03-01T12:00:00Z\nused_by = [\"cache\"]", "locked = 3"), 20, "expected a time"),
        (("locked = 2025-03-01T12:00:00Z\nused_by = [\"cache\"]", "locked = 2025-03-01"), 20, "expected a time"),
        (('used_by = ["cache"]', "used_by = [1]"), 21, "expected a list of strings"),
        (('[image."redis:7"', '[image."Redis:7"'), 15, "is no repository name"),
        (('commit = "d', 'commit = "main'), 11, "is no commit"),
        (('openssl = "3.0.15"', "openssl = 3"), 32, "expected a version"),
        (('[download."https://example.com/tool.tar.gz"]', "[downloads]"), 5, "`downloads` is nothing that stands here"),
        (("version = 1", 'version = 1\nimage = "redis"'), 16, "cannot overwrite"),
        (("size = 41000000", "size = 4 1"), 18, "expected newline"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_line(change: tuple[str, str], line: int, message: str) -> None:
    text = WRITTEN.replace(*change)
    assert text != WRITTEN

    told = problems(text)

    assert [number for number, _ in told] == [line]
    with pytest.raises(ProjectError) as refused:
        parse_lock(text.encode(), "compose.lock")
    (diagnostic,) = refused.value.diagnostics
    assert message in diagnostic.message + diagnostic.hint


def test_all_problems_are_told_at_once_in_order_of_lines() -> None:
    text = WRITTEN.replace("sha256:a", "sha256:x").replace("sha256:c", "sha256:y").replace("41000000", '"big"')

    assert [line for line, _ in problems(text)] == [6, 16, 18]


@pytest.mark.parametrize("data", [b"\xff\xfe", b"a=" + b"[" * 100_000, b"x" * (LARGEST + 1), b"\0", b"[a]\n[a]"])
def test_what_is_no_lock_at_all_is_a_diagnostic(data: bytes) -> None:
    assert problems(data)


def test_two_spellings_of_one_image_contradict_each_other() -> None:
    twice = WRITTEN + '\n[image."docker.io/library/redis:7"]\ndigest = "sha256:' + "e" * 64 + '"\n'

    assert "another spelling of `redis:7`" in problems(twice)[0][1]


def test_there_may_be_no_lock_and_one_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    assert read(tmp_path / "compose.lock") is None
    (tmp_path / "compose.lock").mkdir()
    with pytest.raises(HostError, match="is a directory"):
        read(tmp_path / "compose.lock")


def test_a_lock_is_replaced_whole_and_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "compose.lock"
    save("old", path)
    path.chmod(0o600)
    save("new", path)

    assert path.read_text() == "new"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(HostError, match="cannot write"):
        save("new", tmp_path / "nowhere/compose.lock")


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)


@given(st.dictionaries(TEXTS, st.lists(TEXTS, min_size=1, max_size=3).map(tuple), max_size=5), st.lists(TEXTS))
def test_whatever_packages_and_services_are_called_reads_back(
    packages: dict[str, tuple[str, ...]], users: list[str]
) -> None:
    lock = Lock(
        {"redis:7": LockedImage(digest("a"), {}, used_by=tuple(users))},
        packages={"redis:7": LockedPackages(digest("b"), "linux/amd64", {"npm": packages})},
    )

    text = write(lock)

    assert parse_lock(text.encode(), "compose.lock") == lock
    assert tomllib.loads(text)["version"] == 1


@given(st.binary(max_size=200), st.integers(0, len(WRITTEN)))
def test_no_text_is_anything_but_a_lock_or_a_diagnostic(noise: bytes, at: int) -> None:
    data = WRITTEN.encode()
    with suppress(ProjectError):
        parse_lock(data[:at] + noise + data[at:], "compose.lock")


def test_another_image_moves_no_line_of_its_neighbours() -> None:
    more = write(
        Lock({**whole().images, "alpine:3": image("e", "f")}, whole().downloads, whole().commits, whole().packages)
    )

    assert [line for line in WRITTEN.splitlines() if line not in more.splitlines()] == []
