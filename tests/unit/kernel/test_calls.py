import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from composer.kernel import filesystem, mount, process
from composer.kernel.inotify import IN_CREATE, IN_MODIFY, Inotify
from composer.kernel.path import openat2


def test_a_failed_call_names_itself_and_what_it_was_about(tmp_path: Path) -> None:
    root = os.open(tmp_path, os.O_PATH)

    with pytest.raises(FileNotFoundError) as caught:
        openat2(root, "missing/entry")
    os.close(root)

    assert (caught.value.errno, caught.value.filename) == (errno.ENOENT, "openat2 missing/entry")


def test_a_process_has_one_start_time_and_its_pidfd_knows_its_pid() -> None:
    pidfd = os.pidfd_open(os.getpid())

    assert process.start_time(os.getpid()) == process.start_time(os.getpid()) > 0
    assert process.pid_of(pidfd) == os.getpid()
    os.close(pidfd)


@pytest.mark.parametrize(("command", "status"), [("exit 9", 9), ("kill -TERM $$", 128 + signal.SIGTERM)])
def test_the_exit_of_a_child_is_counted_as_shells_do(command: str, status: int) -> None:
    child = subprocess.Popen(["sh", "-c", command])
    pidfd = os.pidfd_open(child.pid)
    os.waitid(os.P_PIDFD, pidfd, os.WEXITED | os.WNOWAIT)

    assert process.reap(pidfd) == status
    assert process.exit_of_stranger(pidfd) in (status, None)  # None: kernels before 6.15
    with pytest.raises(ChildProcessError):
        process.reap(pidfd)
    os.close(pidfd)
    child.returncode = status


def test_what_happens_in_a_directory_is_told(tmp_path: Path) -> None:
    inotify = Inotify()
    watch = inotify.add(tmp_path, IN_CREATE | IN_MODIFY)
    (tmp_path / "a name").write_text("content")

    events = list(inotify.read())
    inotify.remove(watch)
    inotify.close()

    assert [(event.watch, event.name) for event in events] == [(watch, "a name")] * 2
    assert [event.mask for event in events] == [IN_CREATE, IN_MODIFY]


def test_mount_options_are_taken_apart() -> None:
    assert filesystem.parse_options("mode=755,nodev,,size=64k") == [("mode", "755"), ("nodev", None), ("size", "64k")]


def test_flags_become_mount_attributes() -> None:
    flags = mount.MS_RDONLY | mount.MS_NOEXEC | mount.MS_BIND

    assert mount.attributes(flags) == mount.MOUNT_ATTR_RDONLY | mount.MOUNT_ATTR_NOEXEC
    assert mount.propagation("rslave") == (mount.MS_SLAVE, True)
    with pytest.raises(ValueError, match="`sideways` is no mount propagation"):
        mount.propagation("sideways")


def test_a_process_that_waits_for_a_signal_hears_it() -> None:
    script = "import signal; signal.pthread_sigmask(0, {15}); print(flush=True); signal.sigwait({15})"
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        place = Path(f"/proc/{child.pid}/syscall")
        while place.read_text().split()[0] not in ("128", "137"):  # until it stands there
            time.sleep(0.001)
        assert process.hears(child.pid, signal.SIGTERM)
        child.kill()


def test_a_process_hears_the_signals_that_it_has_said_anything_about() -> None:
    with subprocess.Popen(["sleep", "60"]) as child:
        assert not process.hears(child.pid, signal.SIGTERM)
        child.kill()
    with subprocess.Popen(["sh", "-c", "trap '' TERM; echo ready; read x"], stdin=-1, stdout=-1) as child:
        assert child.stdout is not None
        child.stdout.readline()
        assert process.hears(child.pid, signal.SIGTERM)
        assert not process.hears(child.pid, signal.SIGUSR2)
        child.kill()
    assert process.hears(child.pid, signal.SIGUSR2)
