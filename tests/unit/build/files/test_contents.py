import os
import stat
import sys
import time
from pathlib import Path

import pytest

from composer.build.files import ContentCache, FilesError, differing, inventory, open_context, select, selected
from composer.build.files.contents import settled, stamp_of
from tests.unit.build.files.trees import Lab, make

LONG_AGO = 1_000_000_000_000_000_000


@pytest.fixture
def lab(tmp_path: Path, contents: ContentCache) -> Lab:
    return Lab(tmp_path, contents)


def known(contents: ContentCache, root: Path) -> int:
    return len(contents.of(str(root)))


def settle() -> None:
    """Until a change would show in a file's times."""
    time.sleep(0.06)


def test_contents_are_remembered_across_processes(lab: Lab, tmp_path: Path) -> None:
    lab.put({"a": "a", "sub/b": "b"})
    settle()
    select(open_context(lab.context, lab.contents), ["."])
    again = ContentCache(tmp_path / "cache" / "contents.db")

    assert known(again, lab.context) == 2
    again.close()


def test_what_is_remembered_is_not_read_again(lab: Lab) -> None:
    lab.put({"a": "secret"})
    settle()
    before = select(open_context(lab.context, lab.contents), ["a"])
    status = (lab.context / "a").stat()
    lab.contents.remember(
        str(lab.context), [((status.st_dev, status.st_ino), (stamp_of(status), b"planted".ljust(32), ()))]
    )

    after = select(open_context(lab.context, lab.contents), ["a"])

    assert after.items[0].entry.content == b"planted".ljust(32)
    assert before.digest != after.digest


def test_a_file_that_just_changed_is_not_remembered(lab: Lab) -> None:
    for text in ("one", "two", "six"):  # of the same length, within one tick of the clock
        lab.put({"a": text})
        assert selected(select(open_context(lab.context, lab.contents), ["a"])) == inventory(
            open_context(lab.context, lab.contents)
        )
    assert known(lab.contents, lab.context) == 0


@pytest.mark.parametrize("change", ["content", "same size", "mode", "attribute", "replaced"])
def test_every_change_is_seen(lab: Lab, change: str) -> None:
    lab.put({"a": "one"})
    settle()
    before = select(open_context(lab.context, lab.contents), ["a"]).digest
    path, times = lab.context / "a", ((lab.context / "a").stat().st_atime_ns, (lab.context / "a").stat().st_mtime_ns)
    match change:
        case "content":
            path.write_text("longer")
        case "same size":
            path.write_text("two")
            os.utime(path, ns=times)  # as if nothing had happened: but `ctime` tells
        case "mode":
            path.chmod(0o600)
        case "attribute":
            os.setxattr(path, "user.x", b"1")
        case _:
            make(lab.path, {"other": "two"})
            (lab.path / "other").rename(path)

    assert select(open_context(lab.context, lab.contents), ["a"]).digest != before


@pytest.mark.parametrize(
    ("ctime", "looked_at", "expected"),
    [
        (LONG_AGO + 1, LONG_AGO + 60_000_000, True),
        (LONG_AGO + 1, LONG_AGO + 40_000_000, False),
        (LONG_AGO, LONG_AGO + 60_000_000, False),  # a clock of whole seconds
        (LONG_AGO, LONG_AGO + 2_100_000_000, True),
        (LONG_AGO + 10**12 + 1, LONG_AGO, False),  # from the future
    ],
)
def test_when_a_file_has_settled(ctime: int, looked_at: int, expected: bool) -> None:
    status = os.stat_result((stat.S_IFREG, 1, 1, 1, 0, 0, 1, 0, 0, 0), {"st_ctime_ns": ctime})

    assert settled(status, looked_at) is expected


def test_a_damaged_database_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "contents.db"
    path.write_bytes(b"no database at all" * 1000)

    cache = ContentCache(path)
    cache.remember(
        "/x",
        [
            ((1, 2), ((3, 4, 5, 6), b"d" * 32, (("user.a", b"\0:b"), ("user.b", b"")))),
        ],
    )
    cache.close()

    again = ContentCache(path)
    assert again.of("/x") == {(1, 2): ((3, 4, 5, 6), b"d" * 32, (("user.a", b"\0:b"), ("user.b", b"")))}
    again.close()


def test_numbers_that_no_database_takes_do_no_harm(tmp_path: Path) -> None:
    cache = ContentCache(tmp_path / "contents.db")
    cache.remember("/\udcff", [((1, 2**64 - 1), ((3, 4, 5, 6), b"d" * 32, ()))])

    assert len(cache.of("/\udcff")) == 1
    cache.close()


def test_trees_that_are_gone_are_forgotten(tmp_path: Path, contents: ContentCache) -> None:
    made = make(tmp_path / "there", {})
    record = ((1, 2), ((3, 4, 5, 6), b"d" * 32, ()))
    contents.remember(str(made), [record])
    contents.remember(str(tmp_path / "gone"), [record])

    contents.forget()
    assert (known(contents, made), known(contents, tmp_path / "gone")) == (1, 0)
    contents.forget(unused_since=time.time() + 10)
    assert known(contents, made) == 0


def as_somebody(act: str, context: Path) -> str:
    """What happens when a user without rights does it, in a process of its own."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        said = "nothing"
        try:
            os.setgroups([])
            os.setresgid(65533, 65533, 65533)
            os.setresuid(65533, 65533, 65533)
            cache = ContentCache(Path(f"/tmp/composer-test-{os.getpid()}.db"))
            tree = open_context(context, cache)
            said = str(len(inventory(tree))) if act == "inventory" else str(len(select(tree, [act]).items))
        except FilesError as error:
            said = f"{error.reason}: {error.message}"
        finally:
            for suffix in ("", "-wal", "-shm"):
                Path(f"/tmp/composer-test-{os.getpid()}.db{suffix}").unlink(missing_ok=True)
            os.write(writer, said.encode())
            os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    with os.fdopen(reader) as pipe:
        return pipe.read()


@pytest.fixture
def unreadable(lab: Lab) -> Path:
    if os.geteuid() != 0 or sys.platform != "linux":
        pytest.skip("needs root, to become somebody else")
    lab.put({"ok/a": "a", "file": "secret", "dir/x": "x", ".dockerignore": "ignored\n", "ignored/x": "x"})
    (lab.context / "file").chmod(0o600)
    (lab.context / "dir").chmod(0o700)
    (lab.context / "ignored").chmod(0o700)
    for path in (lab.context, *lab.context.parents):
        if path.owner() == "root" and path != Path("/tmp") and str(path).startswith("/tmp/"):
            path.chmod(0o755)
    return lab.context


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("ok", "1"),
        ("file", "unreadable: `file`: permission denied"),
        (".", "unreadable: `dir`: permission denied"),
        ("dir/x", "unreadable: `dir`: permission denied"),
    ],
)
def test_what_cannot_be_read_matters_only_where_it_is_selected(unreadable: Path, source: str, said: str) -> None:
    assert as_somebody(source, unreadable) == said


def test_an_inventory_tells_what_differs_and_does_not_mind_what_cannot_be_read(lab: Lab, unreadable: Path) -> None:
    assert as_somebody("inventory", unreadable) == "5"
    before = inventory(open_context(lab.context, lab.contents))
    lab.put({"ok/a": "changed", "ok/new": "n"})
    (lab.context / "file").unlink()

    assert differing(before, inventory(open_context(lab.context, lab.contents))) == ["file", "ok/a", "ok/new"]
