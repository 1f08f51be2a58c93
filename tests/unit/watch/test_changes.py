import asyncio
import os
from collections.abc import Callable
from pathlib import Path

from composer.ignore import DockerPatterns
from composer.kernel.inotify import IN_Q_OVERFLOW, Event
from composer.watch.changes import Listening, Polling, filesystem_of, open_changes
from composer.watch.checkout import locks_of
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


def test_a_network_file_system_is_polled() -> None:
    changes = asyncio.run(open_changes([Selection("/net/home x/project")], lambda: MOUNTS))

    assert isinstance(changes, Polling)
    assert "network file system" in changes.note


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


def test_polling_says_everything_and_slows_down_where_looking_takes_long() -> None:
    polling = Polling("why", interval=0.001)

    assert asyncio.run(polling.next()).everything
    polling.pace(0.5)
    assert polling.interval == 10.0
    polling.pace(0.0)
    assert polling.interval == 0.001
