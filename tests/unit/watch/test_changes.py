import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from composer.ignore import DockerPatterns
from composer.kernel.inotify import IN_Q_OVERFLOW, Event
from composer.watch.changes import Listening, open_changes
from composer.watch.checkout import locks_of
from composer.watch.remote import filesystem_of
from composer.watch.selection import Selection
from composer.watch.settle import Batch
from tests.patience import PATIENCE


def told(root: Path, act: Callable[[], object], selection: Selection | None = None, batches: int = 1) -> list[Batch]:
    """The batches that follow from `act`."""

    async def listen() -> list[Batch]:
        changes = Listening([selection or Selection(str(root))])
        await changes.begin()
        try:
            act()
            return [await asyncio.wait_for(changes.next(), PATIENCE) for _ in range(batches)]
        finally:
            changes.close()

    return asyncio.run(listen())


def test_a_save_is_told(tmp_path: Path) -> None:
    (batch,) = told(tmp_path, lambda: (tmp_path / "a").write_text("a"))

    assert batch.paths == {str(tmp_path / "a")}


class Slow:
    """An area in which to look takes until it is let go on."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.begun, self.go_on = threading.Event(), threading.Event()

    def __contains__(self, path: str) -> bool:
        return True

    def counts(self, path: str, *, directory: bool = False) -> bool:
        return True

    def enters(self, directory: str) -> bool:
        self.begun.set()
        assert self.go_on.wait(PATIENCE)
        return True


def test_who_gives_up_before_all_is_listened_to_leaves_nothing_in_the_kernel(tmp_path: Path) -> None:
    area = Slow(str(tmp_path))

    def instances() -> int:
        fds = [str(fd.readlink()) for fd in Path("/proc/self/fd").iterdir() if fd.is_symlink()]
        return fds.count("anon_inode:inotify")

    async def give_up() -> None:
        before = instances()
        beginning = asyncio.create_task(open_changes([area]))
        await asyncio.to_thread(area.begun.wait)
        assert instances() == before + 1
        beginning.cancel()
        await asyncio.sleep(0.01)
        area.go_on.set()
        await asyncio.wait([beginning])

        assert instances() == before

    asyncio.run(give_up())


def test_what_happens_in_a_new_directory_is_told_with_it_or_by_itself(tmp_path: Path) -> None:
    def act() -> None:
        (tmp_path / "d/e").mkdir(parents=True)
        (tmp_path / "d/e/f").write_text("f")

    (batch,) = told(tmp_path, act)

    assert str(tmp_path / "d") in batch.paths


def test_a_new_directory_is_listened_to(tmp_path: Path) -> None:
    async def listen() -> Batch:
        changes = Listening([Selection(str(tmp_path))])
        await changes.begin()
        try:
            (tmp_path / "d").mkdir()
            await asyncio.wait_for(changes.next(), PATIENCE)
            (tmp_path / "d/x").write_text("x")
            return await asyncio.wait_for(changes.next(), PATIENCE)
        finally:
            changes.close()

    assert asyncio.run(listen()).paths == {str(tmp_path / "d/x")}


def test_a_directory_that_moved_is_told_by_both_names(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()

    (batch,) = told(tmp_path, lambda: (tmp_path / "a").rename(tmp_path / "b"))

    assert batch.paths == {str(tmp_path / "a"), str(tmp_path / "b")}


def test_what_is_ignored_is_not_told(tmp_path: Path) -> None:
    (tmp_path / "node_modules").mkdir()

    def act() -> None:
        (tmp_path / "node_modules/x").write_text("x")
        (tmp_path / ".x.swp").write_text("x")
        (tmp_path / "b").write_text("b")

    (batch,) = told(tmp_path, act, Selection(str(tmp_path), ignore=DockerPatterns(["node_modules"])))

    assert batch.paths == {str(tmp_path / "b")}


def test_a_root_that_comes_into_being_is_told(tmp_path: Path) -> None:
    root = tmp_path / "later"

    batches = told(root, root.mkdir, Selection(str(root)))

    assert batches[0].paths == {str(root)}


def test_a_root_that_is_a_file_is_told_however_it_is_saved(tmp_path: Path) -> None:
    root = tmp_path / "conf"
    root.write_text("one")

    def replace() -> None:
        (tmp_path / "new").write_text("two")
        (tmp_path / "new").rename(root)

    assert told(root, lambda: root.write_text("two"))[0].paths == {str(root)}
    assert told(root, replace)[0].paths == {str(root)}


def test_names_in_odd_encodings_are_told(tmp_path: Path) -> None:
    name = os.fsdecode(b"\xff\xfe")

    (batch,) = told(tmp_path, lambda: (tmp_path / name).write_text("x"))

    assert batch.paths == {str(tmp_path / name)}


MOUNTS = "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n23 22 0:5 / /net/home\\040x rw shared:1 - nfs4 server:/ rw\n"


def test_the_file_system_of_a_path_is_that_of_the_nearest_mount() -> None:
    assert filesystem_of("/net/home x/project", MOUNTS) == "nfs4"
    assert filesystem_of("/net/homely", MOUNTS) == "ext4"


def test_a_network_file_system_is_polled_and_the_rest_is_listened_to(tmp_path: Path) -> None:
    mounts = MOUNTS.replace("/net/home\\040x", str(tmp_path / "remote"))
    (tmp_path / "remote").mkdir()
    (tmp_path / "near").mkdir()

    async def listen() -> tuple[str, set[str]]:
        areas = [Selection(str(tmp_path / name)) for name in ("remote", "near")]
        changes = await open_changes(areas, lambda: mounts, poll=0.01)
        try:
            (tmp_path / "near/a").write_text("a")
            told: set[str] = set()
            while len(told) < 2:
                told |= (await asyncio.wait_for(changes.next(), 5)).paths
            return changes.note, told
        finally:
            changes.close()

    note, told = asyncio.run(listen())

    assert "network file system" in note
    assert told == {str(tmp_path / "remote"), str(tmp_path / "near/a")}


def test_what_the_kernel_gives_no_watch_for_is_polled(tmp_path: Path) -> None:
    for number in range(6):
        (tmp_path / f"root/d{number}").mkdir(parents=True)
    command = ["unshare", "--user", "--map-root-user", sys.executable, "-c", _FEW_WATCHES, str(tmp_path / "root")]
    said = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": "."})

    assert "max_user_watches" in said.stdout, said.stderr
    assert said.stdout.splitlines()[1:] == [f"d{number}/new" for number in range(6)]


_FEW_WATCHES = """
import asyncio, os, sys
from pathlib import Path
from composer.watch.changes import open_changes
from composer.watch.remote import filesystem_of
from composer.watch.selection import Selection
from composer.watch.tree import Tree

Path("/proc/sys/user/max_inotify_watches").write_text("4")
root = sys.argv[1]

async def listen():
    tree = Tree(Selection(root))
    tree.scan()
    changes = await open_changes([tree.selection], poll=0.01)
    print(changes.note)
    for number in range(6):
        Path(root, f"d{number}/new").write_text("new")
    found = set()
    while len(found) < 6:
        found |= set(tree.look((await changes.next()).paths))
    print("\\n".join(sorted(found)))

asyncio.run(asyncio.wait_for(listen(), 10))
"""
"""Of seven directories and the one above, four get a watch; a user namespace has limits of its own."""


def test_a_file_in_a_directory_that_is_replaced_is_told(tmp_path: Path) -> None:
    (tmp_path / "conf").mkdir()
    root = tmp_path / "conf/nginx.conf"
    root.write_text("one")

    async def listen() -> list[Batch]:
        changes = Listening([Selection(str(root))])
        await changes.begin()
        try:
            (tmp_path / "conf").rename(tmp_path / "old")
            root.parent.mkdir()
            root.write_text("two")
            first = await asyncio.wait_for(changes.next(), 5)
            root.write_text("three")
            return [first, await asyncio.wait_for(changes.next(), 5)]
        finally:
            changes.close()

    assert [batch.paths for batch in asyncio.run(listen())] == [{str(root)}] * 2


def test_what_says_what_counts_is_told_though_it_does_not_count(tmp_path: Path) -> None:
    selection = Selection(str(tmp_path), ignore=DockerPatterns(["**/.gitignore"]))

    (batch,) = told(tmp_path, lambda: (tmp_path / ".gitignore").write_text("x"), selection)

    assert batch.paths == {str(tmp_path / ".gitignore")}


def test_a_burst_under_gits_lock_is_one_batch_however_long_it_takes(tmp_path: Path) -> None:
    lock = tmp_path / ".git/index.lock"
    lock.parent.mkdir()

    async def listen() -> Batch:
        changes = Listening([Selection(str(tmp_path / "src"))])
        await changes.begin()
        try:
            lock.touch()
            for number in range(40):
                (tmp_path / f"src/{number}").write_text("a")
                await asyncio.sleep(0.02)
            lock.unlink()
            return await asyncio.wait_for(changes.next(), PATIENCE)
        finally:
            changes.close()

    (tmp_path / "src").mkdir()
    batch = asyncio.run(listen())

    assert len(batch.paths) == 40


def test_the_lock_of_a_linked_work_tree_is_where_its_file_says(tmp_path: Path) -> None:
    (tmp_path / "tree/src").mkdir(parents=True)
    (tmp_path / "tree/.git").write_text("gitdir: /repo/.git/worktrees/tree\n")
    (tmp_path / "plain").mkdir()

    assert locks_of([f"{tmp_path}/tree/src"]) == ("/repo/.git/worktrees/tree/index.lock",)
    assert locks_of([f"{tmp_path}/plain"]) == ()


def test_an_overflow_of_the_kernels_queue_means_everything(tmp_path: Path) -> None:
    async def listen() -> tuple[Batch, Batch]:
        changes = Listening([Selection(str(tmp_path))])
        await changes.begin()
        try:
            changes.take(Event(-1, IN_Q_OVERFLOW, ""))
            first = await asyncio.wait_for(changes.next(), PATIENCE)
            (tmp_path / "a").write_text("a")
            return first, await asyncio.wait_for(changes.next(), PATIENCE)
        finally:
            changes.close()

    first, second = asyncio.run(listen())
    assert first.everything
    assert second.paths == {str(tmp_path / "a")}


def test_a_queue_that_overflows_means_everything(tmp_path: Path) -> None:
    longest = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())

    def act() -> None:
        for number in range(longest // 2 + 100):
            os.mkdir(tmp_path / f"{number}")  # noqa: PTH102 - thousands
            os.rmdir(tmp_path / f"{number}")  # noqa: PTH106

    assert any(batch.everything for batch in told(tmp_path, act))
