from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import composer
from composer import client
from composer.forkserver.request import Reader, Request
from composer.forkserver.serve import command_word
from composer.paths import Paths

ABOUT = [client.PROTOCOL, b"/package", b"/prefix", b"3.11", b"utf-8"]
WORDS = st.lists(st.binary(max_size=20).filter(lambda word: b"\0" not in word), max_size=6)


@given(WORDS, WORDS)
def test_a_record_says_what_was_put_into_it(arguments: list[bytes], values: list[bytes]) -> None:
    variables = [b"V%d=" % number + value for number, value in enumerate(values)]

    request = Request.parse(client.encode(ABOUT, arguments, variables, [b"0", b"63"])[4:])

    assert (request.package, request.prefix, request.version) == ("/package", "/prefix", "3.11")
    assert [os.fsencode(argument) for argument in request.arguments] == arguments
    assert [value for _, value in request.environment] == values
    assert request.numbers == (0, 63)


@given(st.binary(max_size=60))
def test_what_is_no_record_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError):
        Request.parse(body)


def test_a_record_of_another_protocol_is_refused() -> None:
    with pytest.raises(ValueError, match="another protocol"):
        Request.parse(client.encode([b"0", *ABOUT[1:]], [], [], [])[4:])


def test_a_request_may_come_in_pieces() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        record = client.encode(ABOUT, [b"compose", b"ps"], [b"A=" + b"x" * 3000], [])
        directory = os.open("/", os.O_PATH)
        socket.send_fds(theirs, [record[:3]], [directory])
        os.close(directory)
        reader = Reader()

        assert reader.read(ours) is None
        theirs.sendall(record[3:70])
        assert reader.read(ours) is None
        theirs.sendall(record[70:])
        request = reader.read(ours)

        assert request is not None
        assert request.arguments == ("compose", "ps")
        assert len(reader.fds) == 1
        reader.close()


@pytest.mark.parametrize("fds", [0, 2])
def test_descriptors_that_nobody_spoke_of_are_refused(fds: int) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        socket.send_fds(theirs, [client.encode(ABOUT, [b"compose"], [], [])], [0] * fds)
        reader = Reader()

        with pytest.raises(ValueError, match="other descriptors"):
            reader.read(ours)
        reader.close()


def test_a_client_that_goes_away_is_noticed() -> None:
    ours, theirs = socket.socketpair()
    theirs.close()
    with ours, pytest.raises(EOFError):
        Reader().read(ours)


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("ps -a", "ps"),
        ("-f login up", "up"),
        ("--file=a.yaml --profile x -p y --ansi never login", "login"),
        ("--version", ""),
        ("", ""),
        ("-f", ""),
    ],
)
def test_the_command_of_a_line_is_found_behind_the_global_options(line: str, word: str) -> None:
    assert command_word(tuple(line.split())) == word


@pytest.mark.parametrize(
    ("environment", "uid"),
    [
        ({}, 0),
        ({}, 1000),
        ({"XDG_RUNTIME_DIR": "/run/user/1000"}, 1000),
        ({"XDG_RUNTIME_DIR": "/run/user/0"}, 0),
        ({"COMPOSER_RUN": "/elsewhere", "XDG_RUNTIME_DIR": "/x"}, 1000),
    ],
)
def test_the_client_looks_where_everybody_else_does(environment: dict[str, str], uid: int) -> None:
    assert client.run_directory(environment, uid) == str(Paths.from_environment(environment, uid).run)


def test_the_client_imports_next_to_nothing() -> None:
    before = "import os, sys; before = set(sys.modules); sys.path.insert(0, sys.argv[1]); import composer.client"
    program = f"{before}; print(*sorted(set(sys.modules) - before))"

    imported = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program, Path(client.HERE).parent],
        capture_output=True,
        text=True,
        check=True,
    )

    assert set(imported.stdout.split()) <= {"_signal", "_socket", "composer", "composer.client"}


def test_the_installed_program_runs_commands() -> None:
    shown = subprocess.run(
        [sys.executable, f"{client.HERE}/compose", "version", "--short"], capture_output=True, text=True
    )

    assert (shown.returncode, shown.stdout) == (0, f"{composer.__version__}\n")
