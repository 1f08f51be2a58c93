import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from composer.api import starter
from composer.api.client import Client
from composer.errors import HostError
from composer.paths import Paths


def test_a_running_engine_is_found_without_touching_anything(tmp_path: Path) -> None:
    paths = Paths(tmp_path / "data", tmp_path)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(paths.engine_socket))
        listener.listen()
        starter.ensure_engine(paths, {})

    assert not paths.data.exists()
    assert not paths.start_lock.exists()


def test_a_socket_path_that_the_kernel_cannot_take_names_the_variable() -> None:
    with pytest.raises(HostError, match="unix sockets allow 107") as caught:
        starter.check_socket_path(Path("/" + "x" * 107))

    assert "COMPOSER_RUN" in caught.value.hint
    starter.check_socket_path(Path("/" + "x" * 106))


def test_a_socket_left_behind_is_not_an_engine(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "engine.sock"))

    assert not starter.accepts(tmp_path / "engine.sock")


def test_directories_are_made_for_us_alone(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir(mode=0o755)
    starter._make_directory(tmp_path / "a" / "b")
    starter._make_directory(tmp_path / "open")

    assert [(tmp_path / name).stat().st_mode & 0o777 for name in ("a/b", "open")] == [0o700, 0o700]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give a directory away")
def test_a_directory_of_another_user_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    os.chown(tmp_path / "theirs", 1, 1)

    with pytest.raises(HostError, match="belongs to user daemon"):
        starter._make_directory(tmp_path / "theirs")


def test_a_keeper_is_known_by_pid_and_start_time(tmp_path: Path) -> None:
    paths = Paths(tmp_path, tmp_path)
    started = Path(f"/proc/{os.getpid()}/stat").read_text().rpartition(")")[2].split()[19]

    assert not starter.keeper_pid(paths)
    (tmp_path / "keeper.pid").write_text(f"{os.getpid()} {started}\n")
    assert starter.keeper_pid(paths)
    (tmp_path / "keeper.pid").write_text(f"{os.getpid()} {int(started) + 1}\n")
    assert not starter.keeper_pid(paths)
    (tmp_path / "keeper.pid").write_text("nonsense")
    assert not starter.keeper_pid(paths)


def test_only_what_the_logs_got_since_is_shown(tmp_path: Path) -> None:
    paths = Paths(tmp_path, tmp_path)
    paths.keeper_log.write_text("old\n" + "\n".join(map(str, range(20))))
    paths.engine_log.write_bytes(b"caf\xe9\n")

    assert starter._words_since({paths.keeper_log: 4, paths.engine_log: 0, tmp_path / "none": 0}, lines=2) == (
        "\n  keeper.log: 18\n  keeper.log: 19\n  engine.log: caf\ufffd"
    )
    assert starter._words_since({paths.keeper_log: paths.keeper_log.stat().st_size}) == ""


def test_a_keeper_that_cannot_start_is_told_with_its_words_and_given_no_secrets(tmp_path: Path) -> None:
    # In place of the interpreter: a program that says what it was given, and ends.
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\nenv | grep -c SECRET >&2\necho no such module >&2\nexit 1\n")
    broken.chmod(0o755)
    script = (
        "import sys; from pathlib import Path; from composer.api.starter import ensure_engine; "
        "from composer.paths import Paths; from composer.errors import EngineError\n"
        f"sys.executable = {str(broken)!r}\n"
        f"paths = Paths(Path({str(tmp_path / 'data')!r}), Path({str(tmp_path / 'run')!r}))\n"
        "try: ensure_engine(paths, {'PATH': '/bin:/usr/bin', 'SECRET': 'x'})\n"
        "except EngineError as error: print(error.message)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    words = "\n  keeper.log: 0\n  keeper.log: no such module"
    assert done.stdout == f"cannot start the engine: its keeper ended{words}{words}\n"


def test_a_file_where_a_directory_should_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    paths = Paths(tmp_path / "data", tmp_path / "run")

    with pytest.raises(HostError, match=r"cannot make the directory `.*/data`: it is there and no directory"):
        starter.ensure_engine(paths, {})


def test_a_client_whose_socket_would_be_too_long_says_so(tmp_path: Path) -> None:
    with pytest.raises(HostError, match="as a socket: "):
        Client(Paths(tmp_path, Path("/" + "x" * 107)), {}).projects()
