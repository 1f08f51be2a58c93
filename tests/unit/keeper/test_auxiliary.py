from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path

import pytest

from composer.keeper import auxiliary
from composer.keeper.loop import Loop
from composer.kernel import clone

PROGRAM = """
import gc, os, sys
from composer.keeper.auxiliary import Auxiliary
from composer.keeper.loop import Loop
from composer.keeper.sources import sources

loop = Loop()
known = sources() if sys.argv[1] == "current" else {__file__: (0, 0)}
told = []

def hear(message):
    with open(f"/proc/{pump.pid}/comm") as comm, open(f"/proc/{pump.pid}/cmdline") as command:
        print(comm.read().strip(), command.read().rstrip("\\0").split("\\0")[-2], *os.listdir(f"/proc/{pump.pid}/fd"))
    loop.stop()

kept = os.open("/dev/null", os.O_RDONLY)
os.set_inheritable(kept, True)
os.dup2(kept, 77)
pump = Auxiliary(loop, "composer.keeper.pump", known, on_message=hear)
pump.want()
pump.send({"do": "drain", "id": "nothing"})
loop.run()
"""


@pytest.mark.parametrize(("installed", "comm"), [("current", "composer-pump"), ("changed", "python")])
def test_a_process_beside_is_forked_while_the_files_are_those_imported_and_executed_afterwards(
    tmp_path: Path, installed: str, comm: str
) -> None:
    (tmp_path / "keeper.py").write_text(PROGRAM)

    command = [sys.executable, str(tmp_path / "keeper.py"), installed]
    words = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.split()

    assert words[0].startswith(comm)
    assert words[1] == "composer.keeper.pump"
    assert ("77" in words[2:]) is (installed == "changed")  # a fork has closed what an execution would have been given


def test_one_that_cannot_be_started_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = Loop()
    tries = 0

    def refuse(_namespaces: int) -> tuple[int, int]:
        nonlocal tries
        tries += 1
        if tries == 2:
            loop.stop()
        raise OSError(errno.EAGAIN, "no more processes")

    monkeypatch.setattr(clone, "clone3", refuse)
    monkeypatch.setattr(auxiliary, "_LONGEST_PAUSE", 0.05)
    pump = auxiliary.Auxiliary(loop, "composer.keeper.pump", {})
    pump.want()
    loop.run()

    assert (tries, pump.pid) == (2, 0)
