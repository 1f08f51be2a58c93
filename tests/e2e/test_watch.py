"""Watching: what is saved is in the container, and what follows from it has happened."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.harness import IDLE, Engine, Project, eventually
from tests.make.image import busybox_rootfs

SYNC = f"""
services:
  web:
    image: host
    command: {IDLE}
    develop:
      watch:
        - {{action: sync, path: ./src, target: /app}}
"""


def root_of(project: Project, service: str = "web") -> Path:
    """The root of a service's container as this machine sees it."""
    return Path(f"/proc/{project.container(service)['Pid']}/root")


def listing(top: Path) -> dict[str, str]:
    """What is below a directory: kind, mode and content of everything. What goes while we look is not there."""
    found = {}
    for directory, directories, files in os.walk(top):
        for name in (*directories, *files):
            path = Path(directory, name)
            relative = str(path.relative_to(top))
            with contextlib.suppress(OSError):
                if path.is_symlink():
                    found[relative] = f"link {path.readlink()}"
                elif path.is_dir():
                    found[relative] = f"directory {path.stat().st_mode & 0o7777:o}"
                elif path.is_file():
                    found[relative] = f"file {path.stat().st_mode & 0o7777:o} {path.read_bytes()!r}"
    return found


def same(project: Project, inside: str = "app", here: str = "src") -> None:
    """Wait until the container has exactly what is on disk."""
    there = root_of(project) / inside

    eventually(
        lambda: listing(there) == listing(project.directory / here),
        message=lambda: (
            f"{listing(there)}\nis not\n{listing(project.directory / here)}\n{project.engine.engine_logs()}"
        ),
    )


@pytest.fixture
def shop(engine: Engine) -> Project:
    """A project with one synced directory, watched by the engine."""
    shop = engine.project(SYNC, files={"src/a.py": "one", "src/pkg/b.py": "b"})
    shop.up("--watch")
    return shop


def test_what_is_there_is_in_the_container_before_the_command_returns(shop: Project) -> None:
    assert listing(root_of(shop) / "app") == listing(shop.directory / "src")
    assert "in sync" in shop.compose("watch", "--verify", check=True).stdout


def as_vim(path: Path) -> None:
    path.rename(f"{path}~")
    path.write_text("saved")
    Path(f"{path}~").unlink()


def by_renaming(path: Path) -> None:
    path.with_name("new").write_text("saved")
    path.with_name("new").rename(path)


def as_link(path: Path) -> None:
    path.unlink()
    path.symlink_to("/no/where")


def as_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "x").write_text("x")


SAVES: dict[str, Callable[[Path], object]] = {
    "in place": lambda path: path.write_text("saved"),
    "as vim does": as_vim,
    "by renaming over it": by_renaming,
    "by truncating it": lambda path: os.truncate(path, 1),
    "by deleting it": Path.unlink,
    "with another mode": lambda path: path.chmod(0o755),
    "as a link": as_link,
    "as a directory": as_directory,
    "under another name": lambda path: path.rename(path.with_name("c.py")),
    "in an odd encoding": lambda path: path.rename(os.fsdecode(os.fsencode(path) + b"\xff")),
}


def test_a_file_is_in_the_container_however_it_was_saved(shop: Project) -> None:
    for number, save in enumerate(SAVES.values()):
        path = shop.directory / f"src/file{number}.py"
        path.write_text("before")
        same(shop)
        save(path)
        same(shop)


def test_directories_come_and_go_as_a_whole(shop: Project) -> None:
    source = shop.directory / "src"
    (source / "empty").mkdir()
    shutil.rmtree(source / "pkg")
    same(shop)

    (source / "pkg/deep/er").mkdir(parents=True)
    (source / "pkg/deep/er/c.py").write_text("c")
    os.mkfifo(source / "pkg/fifo")
    same(shop)

    (source / "pkg").rename(source / "moved")
    (source / "moved/deep/er/c.py").write_text("changed after the move")
    same(shop)


def test_a_root_that_is_replaced_is_looked_at_again(shop: Project) -> None:
    source = shop.directory / "src"
    source.rename(shop.directory / "old")
    source.mkdir()
    (source / "new.py").write_text("new")
    same(shop)

    (source / "later.py").write_text("later")
    same(shop)


def test_a_branch_switch_arrives_whole(shop: Project) -> None:
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@x", "-C", str(shop.directory)]
    source = shop.directory / "src"

    def commit(text: str) -> None:
        for number in range(1500):
            (source / f"d{number % 30}").mkdir(exist_ok=True)
            (source / f"d{number % 30}/f{number}").write_text(f"{text} {number}")
        subprocess.run([*git, "add", "-A"], check=True)
        subprocess.run([*git, "commit", "-qm", text], check=True)

    subprocess.run([*git, "init", "-q", "-b", "one"], check=True)
    commit("one")
    subprocess.run([*git, "checkout", "-qb", "two"], check=True)
    shutil.rmtree(source / "d7")
    commit("two")
    same(shop)

    subprocess.run([*git, "checkout", "-q", "one"], check=True)
    same(shop)


def test_every_replica_gets_every_file(engine: Engine) -> None:
    shop = engine.project(SYNC, files={"src/a.py": "one"})
    shop.up("--watch", "--scale", "web=3")
    (shop.directory / "src/a.py").write_text("two")

    roots = [Path(f"/proc/{entry['Pid']}/root/app/a.py") for entry in shop.ps().values()]
    assert len(roots) == 3
    eventually(lambda: [path.read_text() for path in roots] == ["two"] * 3)


def test_sync_and_restart_gives_the_new_files_to_a_new_process(engine: Engine) -> None:
    shop = engine.project(
        """
        services:
          web:
            image: host
            command: ["sh", "-c", "cat /app/conf; trap 'exit 0' TERM; sleep infinity & wait"]
            develop:
              watch:
                - {action: sync+restart, path: ./conf, target: /app/conf}
          db: {image: host, command: [sleep, infinity]}
        """,
        files={"conf": "one\n"},
    )
    watching = shop.start("watch")
    watching.until("watching")
    eventually(lambda: "one" in shop.logs("web"))
    before = shop.ps()
    (shop.directory / "conf").write_text("two\n")
    watching.until("restarted")

    eventually(lambda: "two" in shop.logs("web"))
    assert shop.ps()["shop-web-1"]["ID"] == before["shop-web-1"]["ID"]
    assert shop.ps()["shop-db-1"]["Pid"] == before["shop-db-1"]["Pid"]
    watching.interrupt()
    assert watching.wait() == 130
    assert "watched:" in watching.text
    assert "nobody watches" in shop.compose("watch", "--status", check=True).stdout


def test_sync_and_exec_runs_a_command_once_for_a_batch(engine: Engine) -> None:
    shop = engine.project(
        f"""
        services:
          web:
            image: host
            command: {IDLE}
            develop:
              watch:
                - action: sync+exec
                  path: ./conf
                  target: /app/conf
                  exec: {{command: ["sh", "-c", "echo $$WHO >> /srv/ran"], environment: [WHO=me]}}
        """,
        files={"conf/a": "one"},
    )
    shop.up("--watch")
    ran = root_of(shop) / "srv/ran"
    eventually(ran.exists)
    ran.unlink()
    (shop.directory / "new").mkdir()
    for name in "abc":
        (shop.directory / "new" / name).write_text("two")
    (shop.directory / "new").rename(shop.directory / "conf/new")  # so that they come at once

    eventually(lambda: ran.exists() and ran.read_text())
    same(shop, "app/conf", "conf")
    assert ran.read_text() == "me\n"


def with_a_command_that_hangs_once(engine: Engine) -> Project:
    """It copies what was brought in to /srv/ran, but hangs in a container that has no /srv/slow yet, which it makes."""
    return engine.project(
        f"""
        services:
          web:
            image: host
            command: {IDLE}
            develop:
              watch:
                - action: sync+exec
                  path: ./conf
                  target: /srv/conf
                  exec: {{command: [sh, -c, "test -e /srv/slow || {{ touch /srv/slow; sleep 1000; }}; cp /srv/conf /srv/ran"]}}
        """,
        files={"conf": "one"},
    )


def test_a_command_whose_container_ends_runs_in_the_next(engine: Engine) -> None:
    shop = with_a_command_that_hangs_once(engine)
    shop.up()
    shop.start("watch", "--no-up").until("watching")
    eventually((root_of(shop) / "srv/slow").exists)
    shop.compose("restart", "web", check=True)

    ran = root_of(shop) / "srv/ran"
    eventually(lambda: ran.exists() and ran.read_text() == "one")


def test_a_command_whose_engine_dies_runs_though_the_files_are_there(engine: Engine) -> None:
    shop = with_a_command_that_hangs_once(engine)
    shop.start("up", "-d", "--watch")
    slow = Path("srv/slow")
    eventually(lambda: shop.ps() and (root_of(shop) / slow).exists())
    engine.kill("engine")

    ran = root_of(shop) / "srv/ran"
    eventually(lambda: ran.exists() and ran.read_text() == "one")


def test_a_container_that_starts_later_is_caught_up(shop: Project) -> None:
    shop.compose("stop", "web", check=True)
    (shop.directory / "src/a.py").write_text("while it was stopped")
    (shop.directory / "src/pkg/b.py").unlink()
    shop.compose("start", "web", check=True)

    same(shop)


def test_what_was_deleted_does_not_come_back_with_another_container_of_the_image(
    engine: Engine, tmp_path: Path
) -> None:
    rootfs = busybox_rootfs(tmp_path / "rootfs")
    files = {"src/a.py": "a", "src/b.py": "b", "src/pkg/c.py": "c", "src/pkg/d.py": "d"}
    for name in (*files, "src/own.py"):
        place = rootfs / name.replace("src/", "app/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text("older")
    engine.compose("image", "import", str(rootfs), "web", check=True)
    shop = engine.project(SYNC.replace("image: host", "image: web"), files=files)
    shop.up("--watch")
    assert "own.py" in listing(root_of(shop) / "app")  # no rule ever brought it
    (shop.directory / "src/b.py").unlink()
    shutil.rmtree(shop.directory / "src/pkg")
    eventually(lambda: set(listing(root_of(shop) / "app")) == {"a.py", "own.py"})
    (shop.directory / "src/pkg").mkdir()
    (shop.directory / "src/pkg/d.py").write_text("anew")
    eventually(lambda: "pkg/d.py" in listing(root_of(shop) / "app"))

    before = shop.container("web")["ID"]
    shop.up("--force-recreate")
    assert shop.container("web")["ID"] != before

    wanted = {"a.py", "own.py", "pkg", "pkg/d.py"}
    eventually(
        lambda: set(listing(root_of(shop) / "app")) == wanted, message=lambda: str(listing(root_of(shop) / "app"))
    )
    assert "in sync" in shop.compose("watch", "--verify", check=True).stdout


def test_an_engine_that_was_killed_catches_up(shop: Project) -> None:
    shop.engine.kill("engine")
    (shop.directory / "src/a.py").write_text("while nobody watched")
    shutil.rmtree(shop.directory / "src/pkg")
    shop.compose("ps", check=True)
    same(shop)

    (shop.directory / "src/a.py").write_text("and later")
    same(shop)
    eventually(lambda: "behind" not in shop.compose("watch", "--status", check=True).stdout)


def test_a_changed_compose_file_is_applied(shop: Project) -> None:
    before = shop.container("web")["ID"]
    shop.edit("image: host", "image: host\n    environment: {A: b}")

    eventually(lambda: (found := shop.ps()) and all(entry["ID"] != before for entry in found.values()))
    shop.wait_state("web", "running")
    same(shop)
    eventually(lambda: "environment.A added" in shop.compose("watch", "--status", check=True).stdout)


def test_a_compose_file_that_is_wrong_is_told_and_the_watch_goes_on(shop: Project) -> None:
    there = root_of(shop) / "app/a.py"
    shop.edit("image: host", "imag: host")
    eventually(lambda: "`imag`" in shop.engine.compose("-p", "shop", "watch", "--status", check=True).stdout)

    (shop.directory / "src/a.py").write_text("still watched")
    eventually(lambda: there.read_text() == "still watched")
    shop.write(SYNC)


def test_what_cannot_be_written_is_told(engine: Engine) -> None:
    shop = engine.project(SYNC.replace("image: host", "image: host\n    read_only: true"), files={"src/a.py": "one"})
    shop.up("--watch")

    status = shop.compose("watch", "--status", check=True).stdout
    assert "read-only" in status
    assert "behind" in status


REFUSED = {
    "{action: sync, path: ./src, target: /proc}": "cannot sync files to `/proc`",
    "{action: sync, path: ./src, target: /}": "cannot sync files to `/`",
    "{action: sync, path: ./src}": "has no `target`",
    "{action: sync, target: /app}": "has no `path`",
    "{action: sync, path: ./src, target: app}": "not `app`",
    "{action: sync+exec, path: ./src, target: /app}": "without a command",
    "{action: rebuild, path: ./src}": "no `build` section",
    "{action: sync, path: ./src, target: /app, ignore: ['[']}": "no pattern",
}


def test_rules_that_cannot_be_are_refused(engine: Engine) -> None:
    for rule, words in REFUSED.items():
        shop = engine.project(SYNC.replace("{action: sync, path: ./src, target: /app}", rule), files={"src/a": "a"})
        refused = shop.compose("watch", "--no-up")

        assert refused.code != 0, rule
        assert words in refused.output


def test_a_bind_mount_and_a_trigger_on_the_same_files(engine: Engine) -> None:
    shop = engine.project(
        f"""
        services:
          web:
            image: host
            command: {IDLE}
            volumes: [./src:/app]
            develop:
              watch:
                - {{action: sync+restart, path: ./src, target: /app}}
        """,
        files={"src/a.py": "one"},
    )
    shop.up("--watch")
    pid = shop.container("web")["Pid"]
    (shop.directory / "src/a.py").write_text("two")

    eventually(lambda: shop.container("web")["Pid"] not in (pid, 0))
    assert "bound into" in shop.compose("watch", "--status", check=True).stdout


def test_a_project_that_is_taken_down_is_not_watched_any_more(shop: Project) -> None:
    shop.down()

    eventually(lambda: "nobody watches" in shop.compose("watch", "--status", check=True).stdout)


def test_a_watch_ends_when_it_is_told_to(shop: Project) -> None:
    assert "has ended" in shop.compose("watch", "--stop", check=True).stdout
    assert "nobody" in shop.compose("watch", "--stop", check=True).stdout
    shop.engine.kill("engine")
    assert "nobody watches" in shop.compose("watch", "--status", check=True).stdout


def test_a_program_that_wants_a_signal_gets_one(engine: Engine) -> None:
    shop = engine.project(
        """
        services:
          web:
            image: host
            command: ["sh", "-c", "trap 'cat /app/conf' HUP; trap 'exit 0' TERM; while :; do sleep 0.05; done"]
            x-reload: {signal: HUP, settle: 10ms}
            develop:
              watch:
                - {action: sync, path: ./conf, target: /app/conf}
        """,
        files={"conf": "one\n"},
    )
    shop.up("--watch")
    shop.wait_caught("web", signal.SIGHUP)
    pid = shop.container("web")["Pid"]
    (shop.directory / "conf").write_text("two\n")

    eventually(lambda: "two" in shop.logs("web"))
    assert shop.container("web")["Pid"] == pid


def test_a_program_under_an_init_is_asked_to_end_before_a_restart(engine: Engine) -> None:
    script = "trap 'echo thanks; exit 0' TERM; while :; do sleep 0.05; done"
    shop = engine.project(
        f"""
        services:
          web:
            image: host
            init: true
            command: ["sh", "-c", "{script}"]
            develop: {{watch: [{{action: sync+restart, path: ./conf, target: /app/conf}}]}}
        """,
        files={"conf": "one\n"},
    )
    shop.up("--watch")
    (shop.directory / "conf").write_text("two\n")

    eventually(lambda: "thanks" in shop.logs("web"))


def test_a_program_that_does_not_hear_its_stop_signal_is_not_waited_for(engine: Engine) -> None:
    shop = engine.project(
        """
        services:
          web:
            image: host
            command: [sleep, infinity]
            stop_grace_period: 10m
            develop:
              watch:
                - {action: restart, path: ./conf}
        """,
        files={"conf": "one"},
    )
    watching = shop.start("watch")
    watching.until("watching")
    (shop.directory / "conf").write_text("two")

    watching.until("restarted")
    watching.interrupt()


def test_an_engine_killed_before_a_restart_restarts_when_it_is_back(engine: Engine) -> None:
    shop = engine.project(
        """
        services:
          web:
            image: host
            command: ["sh", "-c", "cat /app/conf; trap '' TERM; while :; do sleep 0.1; done"]
            stop_grace_period: 2s
            develop:
              watch:
                - {action: sync+restart, path: ./conf, target: /app/conf}
        """,
        files={"conf": "one\n"},
    )
    shop.up("--watch")
    there = root_of(shop) / "app/conf"
    (shop.directory / "conf").write_text("two\n")
    eventually(lambda: there.read_text() == "two\n")
    engine.kill("engine")

    eventually(lambda: "two" in shop.logs("web"))


def test_an_ordinary_user_may_watch_too(ordinary: Engine) -> None:
    shop = ordinary.project(SYNC.replace("action: sync", "action: sync+restart"), files={"src/a.py": "one"})
    shop.up("--watch")
    assert shop.exec("web", "cat", "/app/a.py").stdout == "one"
    pid = shop.container("web")["Pid"]
    (shop.directory / "src/a.py").write_text("two")

    eventually(lambda: shop.container("web")["Pid"] not in (pid, 0))
    assert shop.exec("web", "stat", "-c", "%u %n", "/app/a.py").stdout == "0 /app/a.py\n"
    assert shop.exec("web", "cat", "/app/a.py").stdout == "two"


def test_a_watch_in_the_foreground_goes_on_with_another_engine(engine: Engine) -> None:
    shop = engine.project(SYNC, files={"src/a.py": "one"})
    watching = shop.start("watch")
    watching.until("watching")
    engine.kill("engine")
    (shop.directory / "src/a.py").write_text("two")

    same(shop)
    watching.interrupt()
    watching.wait()


def test_a_full_disk_in_the_container_is_told_and_made_up_for(engine: Engine) -> None:
    shop = engine.project(
        SYNC.replace("image: host", "image: host\n    tmpfs: ['/app:size=64k,mode=755']"), files={"src/a.py": "one"}
    )
    shop.up("--watch")
    (shop.directory / "src/large").write_bytes(b"x" * 200_000)
    eventually(lambda: "the disk is full" in shop.compose("watch", "--status", check=True).stdout)
    eventually(lambda: sorted(listing(root_of(shop) / "app")) == ["a.py"])
    assert "behind" in shop.compose("watch", "--status", check=True).stdout

    (shop.directory / "src/large").write_bytes(b"small")
    same(shop)


def test_what_had_no_room_comes_as_soon_as_there_is_some(engine: Engine) -> None:
    shop = engine.project(
        SYNC.replace("image: host", "image: host\n    tmpfs: ['/app:size=64k,mode=755']"), files={"src/a.py": "one"}
    )
    shop.up("--watch")
    shop.exec("web", "sh", "-c", "head -c 60000 /dev/zero > /app/fill; true")
    for name in "abc":
        (shop.directory / f"src/{name}").write_bytes(b"x" * 5000)
    eventually(lambda: "the disk is full" in shop.compose("watch", "--status", check=True).stdout)
    shop.exec("web", "rm", "/app/fill")

    same(shop)
    eventually(lambda: "behind" not in shop.compose("watch", "--status", check=True).stdout)


def test_up_in_the_foreground_watches_and_shows_logs(engine: Engine) -> None:
    shop = engine.project(SYNC, files={"src/a.py": "one"})
    running = shop.start("up", "--watch")
    running.until("watching")
    (shop.directory / "src/a.py").write_text("two")

    running.until("synced 1 file in")
    running.interrupt()
    assert running.wait() == 130


TWO = f"""
services:
  web: {{image: host, command: {IDLE}, develop: {{watch: [{{action: sync, path: ./src, target: /app}}]}}}}
  job: {{image: host, command: {IDLE}, develop: {{watch: [{{action: sync, path: ./src, target: /app}}]}}}}
"""


def test_a_second_watch_joins_the_first_and_may_outlive_it(engine: Engine) -> None:
    shop = engine.project(TWO, files={"src/a.py": "one"})
    shop.up()
    first = shop.start("watch", "--no-up", "web")
    first.until("watching")
    shop.compose("watch", "--no-up", "--detach", "job", check=True)
    (shop.directory / "src/a.py").write_text("two")

    for service in ("web", "job"):
        there = root_of(shop, service) / "app/a.py"
        eventually(lambda there=there: there.read_text() == "two")  # type: ignore[misc]
    first.until("synced 1 file in")
    first.interrupt()
    first.wait()
    (shop.directory / "src/a.py").write_text("three")
    for service in ("web", "job"):
        there = root_of(shop, service) / "app/a.py"
        eventually(lambda there=there: there.read_text() == "three")  # type: ignore[misc]
    shop.down()
    assert "nobody watches" in shop.compose("watch", "--status", check=True).stdout


@pytest.mark.parametrize("options", [("up", "-d", "--watch"), ("watch",)])
def test_a_restart_that_an_engine_owed_comes_with_the_next(engine: Engine, options: tuple[str, ...]) -> None:
    """Of a rule that brings no files, so that only what it dealt with tells that there is something to do."""
    shop = engine.project(
        SYNC.replace("{action: sync, path: ./src, target: /app}", "{action: restart, path: ./src}"),
        files={"src/a.py": "one"},
    )
    watching = shop.start(*options)
    eventually(lambda: "watching 1 file" in shop.compose("watch", "--status").stdout)
    pid = shop.container("web")["Pid"]
    keeper, server = shop.engine.pid("keeper"), shop.engine.pid("engine")
    os.kill(keeper, signal.SIGSTOP)  # it would have another engine at once
    os.kill(server, signal.SIGKILL)
    (shop.directory / "src/a.py").write_text("while nobody watched")
    os.kill(keeper, signal.SIGCONT)

    eventually(lambda: shop.container("web")["Pid"] not in (pid, 0))
    assert "restarted" in shop.compose("watch", "--status", check=True).stdout
    if "watch" in options:
        watching.interrupt()
    watching.wait()
    assert ("nobody watches" in shop.compose("watch", "--status").stdout) == ("watch" in options)


def test_a_rule_of_gits_above_the_root_counts_from_when_it_is_written(engine: Engine) -> None:
    shop = engine.project(SYNC, files={"src/a.py": "one", "src/b.log": "one"})
    subprocess.run(["git", "init", "-q", str(shop.directory)], check=True)
    shop.up("--watch")
    there = root_of(shop) / "app"
    assert sorted(listing(there)) == ["a.py", "b.log"]
    (shop.directory / ".gitignore").write_text("*.log\n")

    eventually(lambda: sorted(listing(there)) == ["a.py"])
    (shop.directory / ".gitignore").write_text("")
    eventually(lambda: sorted(listing(there)) == ["a.py", "b.log"])
