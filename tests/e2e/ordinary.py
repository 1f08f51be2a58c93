"""An ordinary user: composer as somebody installed it who may read nothing of whoever runs the tests."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.e2e.harness import REPOSITORY, Engine

NOBODY = 61234
"""A uid that no account has, and so no range in /etc/subuid: a single id is mapped."""


def installed_for_everybody(engine: Engine) -> tuple[tuple[str, ...], str]:
    """The program and PYTHONPATH of a copy of composer below the engine's directory, on an interpreter that all may run."""
    copy = engine.root / "everybody"
    packages = Path(sysconfig.get_path("purelib"))
    home = copy / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}"
    home.mkdir(parents=True)
    (copy / "bin").mkdir()
    shutil.copytree(REPOSITORY / "composer", copy / "composer", ignore=shutil.ignore_patterns("__pycache__"))
    if can(["test", "-r", str(packages / "pydantic/__init__.py")]):
        (home / "site-packages").symlink_to(packages)
    else:
        shutil.copytree(packages, home / "site-packages", ignore=shutil.ignore_patterns("mypy*", "ruff*"))
    for interpreter in (sys.executable, "/usr/bin/python3"):
        # A virtual environment by hand (pyvenv.cfg of PEP 405): the same packages on whichever interpreter can be run.
        base = Path(interpreter).resolve()
        (copy / "pyvenv.cfg").write_text(f"home = {base.parent}\n")
        (copy / "bin/python3").unlink(missing_ok=True)
        (copy / "bin/python3").symlink_to(base)
        if can([str(copy / "bin/python3"), "-c", "import pydantic, aiohttp, yaml"]):
            return (str(copy / "bin/python3"), "-m", "composer"), str(copy)
    shutil.rmtree(engine.root)
    pytest.skip(f"needs an interpreter like {sys.executable} that every user may run")


def having_ranges(directory: Path, *, known: bool) -> tuple[str, ...]:
    """A wrapper for commands that sees other files in /etc: the ordinary user has ranges, and is in passwd if `known`."""
    (directory / "ranges").write_text(f"{NOBODY}:300000:65536\n")
    entry = f"ordinary:x:{NOBODY}:{NOBODY}::/:/bin/sh\n" if known else ""
    (directory / "passwd").write_text(Path("/etc/passwd").read_text() + entry)
    binds = {"subuid": "ranges", "subgid": "ranges", "passwd": "passwd"}
    mounts = " && ".join(f"mount --bind {directory}/{source} /etc/{target}" for target, source in binds.items())
    return ("unshare", "--mount", "--propagation", "private", "sh", "-c", f'{mounts} && exec "$@"', "sh")


def can(command: list[str]) -> bool:
    """Whether the ordinary user can. Through a shell: setpriv itself still has root's capabilities as it executes."""
    done = subprocess.run(
        [
            "setpriv",
            f"--reuid={NOBODY}",
            f"--regid={NOBODY}",
            "--clear-groups",
            "sh",
            "-c",
            'exec "$@"',
            "sh",
            *command,
        ],
        capture_output=True,
        cwd="/",
    )
    return done.returncode == 0
