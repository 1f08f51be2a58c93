"""Files that somebody made to hang, crash or fill the loader: each is refused, or read, in little time and memory."""

from __future__ import annotations

import os
import resource
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.project.loading import write

SECONDS = 1
"""Of processor time, the interpreter's own start included."""
MEBIBYTES = 100
CHILD = """
import resource, sys
from pathlib import Path
from composer.errors import ProjectError
from composer.project import LoadOptions, load
import composer.project.loader
try:
    load(LoadOptions(directory=Path(sys.argv[1])), {"HOME": "/h"})
except ProjectError as error:
    for found in error.diagnostics[:3]:
        print(found.location, found.message)
"""


def loaded(directory: Path, seconds: float = SECONDS) -> str:
    """What loading says, having taken no more than it may."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(directory)], capture_output=True, text=True, timeout=60, check=False
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.stderr == ""
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    # A loaded machine counts cache misses and faults of others as our time: hence the half more.
    assert used < seconds * 1.5 + 0.5, used
    return done.stdout.strip()


def bomb(levels: int, width: int) -> str:
    first = f"x-0: &a0 [{', '.join('x' * width)}]\n"
    return first + "".join(f"x-{i}: &a{i} [{', '.join([f'*a{i - 1}'] * width)}]\n" for i in range(1, levels))


def with_web(attributes: str) -> str:
    return f"services: {{web: {{image: i, {attributes}}}}}\n"


WEB = with_web("init: true")
FILES = {
    "a billion laughs": (bomb(12, 10) + WEB, "expands to more than"),
    "laughing mappings": (
        "x-0: &a0 {a: b}\n"
        + "".join(f"x-{i}: &a{i} {{{', '.join(f'k{j}: *a{i - 1}' for j in range(50))}}}\n" for i in range(1, 9))
        + WEB,
        "expands to more than",
    ),
    "merge keys by the hundred": (
        f"x-0: &a {{{', '.join(f'k{i}: v' for i in range(1000))}}}\n"
        + "".join(f"x-b{i}: {{<<: *a}}\n" for i in range(400)) + WEB,
        "expands to more than",
    ),
    "brackets": ("x-a: " + "[" * 100_000, "levels deep"),
    "indentation": ("\n".join(" " * i + "a:" for i in range(1500)), "levels deep"),
    "an anchor in itself": ("x-a: &a [*a]\n" + WEB, "stands inside of what it names"),
    "a huge file": ("x-a: " + "a" * (50 << 20), "larger than 4 MiB"),
    "a huge scalar": ("x-a: " + "a" * (3 << 20) + "\n" + WEB, ""),
    "a huge key": ("? " + "a" * 200_000 + "\n: b\n", "is not an attribute"),
    "defaults in defaults": (with_web(f"hostname: '{'${A:-' * 50_000}{'}' * 50_000}'"), "levels deep"),
    "defaults without end": (with_web(f"hostname: '{'${A:-' * 50_000}'"), "levels deep"),
    "itself included": ("include: [compose.yaml]\n" + WEB, "round in a circle"),
    "ten thousand services": ("services:\n" + "".join(f"  s{i}: {{image: i}}\n" for i in range(3000)), ""),
    "ten thousand mistakes": ("services:\n" + "".join(f"  s{i}: {{imag: i}}\n" for i in range(10_000)), "`imag`"),
    "names that are nearly right": (
        "services:\n" + "".join(f"  service{i}: {{image: i, depends_on: [servixe{i}]}}\n" for i in range(1500)),
        "there is no service",
    ),
    "a long chain": (
        "services:\n" + "".join(f"  s{i}: {{image: i, depends_on: [s{i + 1}]}}\n" for i in range(2000)), "no service `s2000`"),
    "a long chain of extends": (
        "services:\n"
        + "".join(f"  s{i}: {{image: i, extends: s{i + 1}}}\n" for i in range(1000))
        + "  s1000: {image: i}\n",
        "goes on for more than 100 steps",
    ),
    "all ports": (with_web("ports: ['1-65535:1-65535']"), "more than 32768 ports"),
    "all ports again": (with_web(f"ports: [{', '.join(['1-30000:1-30000'] * 500)}]"), "more than 32768 ports"),
    "replicas": (with_web("scale: 1000000000000"), "at most 10000"),
    "a long size": (with_web(f"mem_limit: '{'1' * 100_000}g'"), "too large"),
    "a long duration": (with_web(f"stop_grace_period: '{'1' * 100_000}s'"), "too long"),
    "a long number": (with_web(f"cpu_shares: {'1' * 100_000}"), "must be a whole number"),
    "a long hexadecimal number": (with_web(f"cpu_shares: 0x{'f' * 100_000}"), "must be a whole number"),
    "an infinite number": (with_web("cpus: 1e999"), "must be a number"),
    "NUL in a string": (with_web('environment: {A: "a\\0b"}'), "cannot have a NUL"),
    "half a character": (with_web('hostname: "\\ud800"'), "not YAML"),
    "tabs": ("services:\n\tweb:\n\t\timage: i\n", "cannot be indented with tabs"),
    "a tab before a value": ("services:\n  web:\n    image:\ti\n", ""),
    "line ends of DOS": ("services:\r\n  web:\r\n    image: i\r\n", ""),
    "line ends of old": ("services:\r  web:\r    image: i\r", ""),
    "a byte order mark": ("\ufeff" + WEB, ""),
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_read_or_refused_in_time(tmp_path: Path, name: str) -> None:
    text, said = FILES[name]
    write(tmp_path, {"compose.yaml": text})
    found = loaded(tmp_path, 4 if "thousand" in name or "chain" in name else SECONDS)

    assert said in found
    assert bool(said) == bool(found), found
    assert len(found) < 2500


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"services: {web: {image: \xff}}", "not UTF-8"),
        (WEB.encode("utf-16"), "not UTF-8"),
        (b"services: {web: {image: a\0b}}", "U+0000 cannot be in it"),
        (bytes(range(256)) * 400, "not UTF-8"),
    ],
)
def test_bytes_that_are_no_text_are_refused(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "compose.yaml").write_bytes(content)

    assert said in loaded(tmp_path)


def test_an_alias_bomb_takes_neither_a_second_nor_much_memory(tmp_path: Path) -> None:
    write(tmp_path, {"compose.yaml": bomb(20, 100) + WEB})
    # Not ru_maxrss, which counts what the process was forked from.
    measure = CHILD + "print(Path('/proc/self/status').read_text().partition('VmHWM:')[2].split()[0])"
    done = subprocess.run([sys.executable, "-c", measure, str(tmp_path)], capture_output=True, text=True, check=True)

    said, kibibytes = done.stdout.splitlines()
    assert "expands to more than" in said
    assert int(kibibytes) >> 10 < MEBIBYTES
    assert loaded(tmp_path)


def test_includes_are_bounded_in_depth_and_number(tmp_path: Path) -> None:
    chain = {f"{i}.yaml": f"include: [{i + 1}.yaml]\n" for i in range(600)}
    write(tmp_path, {"compose.yaml": "include: [0.yaml]\n" + WEB, **chain, "600.yaml": "services: {b: {image: i}}"})
    assert "more than 50 files deep" in loaded(tmp_path)

    tree = {f"{i}.yaml": f"include: [{i + 1}.yaml, {i + 1}.yaml]\n" for i in range(30)}
    write(tmp_path, tree | {"30.yaml": "services: {b: {image: i}}"})
    found = loaded(tmp_path)
    assert "more than 500 files" in found
    assert found.startswith(str(tmp_path)) or ".yaml:1:" in found


def pipe(directory: Path) -> None:
    os.mkfifo(directory / "it")


def listening(directory: Path) -> None:
    socket.socket(socket.AF_UNIX).bind(str(directory / "it"))


NO_FILES: dict[str, Callable[[Path], None]] = {
    "a FIFO": pipe,
    "a socket": listening,
    "a directory": lambda directory: (directory / "it").mkdir(),
    "zeros": lambda directory: (directory / "it").symlink_to("/dev/zero"),
    "itself": lambda directory: (directory / "it").symlink_to("it"),
    "a huge file": lambda directory: os.truncate(os.open(directory / "it", os.O_CREAT | os.O_WRONLY), 1 << 40),
}
NAMED = {
    "env_file": with_web("env_file: it"),
    "label_file": with_web("label_file: it"),
    "extends": with_web("extends: {file: it, service: a}"),
    "include": "include: [it]\n" + WEB,
    "the variables of an include": "include: [{path: other.yaml, env_file: it}]\n" + WEB,
}


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("what", NO_FILES)
@pytest.mark.parametrize("where", NAMED)
def test_what_is_no_file_is_refused_with_the_place_that_names_it(tmp_path: Path, what: str, where: str) -> None:
    write(tmp_path, {"compose.yaml": NAMED[where], "other.yaml": WEB})
    NO_FILES[what](tmp_path)
    found = loaded(tmp_path)

    assert "compose.yaml:1:" in found
    assert "cannot read" in found


def test_an_empty_device_is_an_empty_file_and_a_pipe_may_be_named_by_hand(tmp_path: Path) -> None:
    write(tmp_path, {"compose.yaml": with_web("env_file: /dev/null")})
    assert loaded(tmp_path) == ""

    script = (
        f"{sys.executable} -m composer -f <(echo '{WEB.strip()}') --env-file <(echo A=1) --env-file /dev/null config -q"
    )
    done = subprocess.run(["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'A="' + b"x" * (3 << 20), "never closed"),
        (b"A='" + b"\\'" * 100_000, "never closed"),
        (b"\n".join(b"A%d=1" % i for i in range(100_000)), ""),
        (b"A=a\0b", "has a NUL"),
        (b"A=" + b"${B:-" * 50_000, "levels deep"),
        (
            b"A0=xxxxxxxx\n" + b"".join(b"A%d=%s\n" % (i + 1, b"$A%d" % i * 8) for i in range(12)),
            "hold more than 8 MiB",
        ),
        (b"\xff=1", "not UTF-8"),
    ],
)
def test_a_file_of_variables_is_read_or_refused_in_time(tmp_path: Path, content: bytes, said: str) -> None:
    write(tmp_path, {"compose.yaml": with_web("env_file: it")})
    (tmp_path / "it").write_bytes(content)
    found = loaded(tmp_path)

    assert said in found
    assert bool(said) == bool(found)
