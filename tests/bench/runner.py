"""Runs commands where it was started, in the box or on the host, and takes their time there. Standard library only.

Speaks JSON lines: a request on stdin, its answer on stdout.

    {"do": "run", "argv": [...], "cwd": "..."}     {"seconds", "code", "stdout", "stderr"}
    {"do": "write", "path": "...", "text": "..."}  {}
    {"do": "tree", "path": "...", "files": n, "stamp": "..."}  {}           many small files, all with the stamp in them
    {"do": "remove", "path": "..."}                {}
    {"do": "pids", "names": [...]}                 {"pids": [...]}      processes by the name of their program
    {"do": "memory", "pids": [...]}                {"kib": ...}         their proportional set size
    {"do": "forget", "pids": [...]}                {}                   their largest sizes so far
    {"do": "peak", "pids": [...]}                  {"kib": ...}         their largest resident sets since then
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

LONGEST = 600.0


def run(argv: list[str], cwd: str) -> dict[str, Any]:
    """One command to its end."""
    began = time.perf_counter()
    done = subprocess.run(argv, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, timeout=LONGEST, check=False)
    seconds = time.perf_counter() - began
    return {
        "seconds": seconds,
        "code": done.returncode,
        "stdout": done.stdout.decode("utf-8", "replace"),
        "stderr": done.stderr.decode("utf-8", "replace"),
    }


def write(path: str, text: str) -> dict[str, Any]:
    """A file, with the directories above it."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(text)
    return {}


def tree(path: str, files: int, stamp: str) -> dict[str, Any]:
    """A directory of so many files, fifty in each directory below it; what was there is replaced."""
    shutil.rmtree(path, ignore_errors=True)
    for number in range(files):
        place = Path(path, str(number // 50))
        if number % 50 == 0:
            place.mkdir(parents=True)
        (place / f"{number % 50}.js").write_text(
            f"// {stamp} {number}\n" + f"export const n{number} = {number};\n" * 50
        )
    return {}


def remove(path: str) -> dict[str, Any]:
    """A directory with all below it."""
    shutil.rmtree(path)
    return {}


def pids(names: list[str]) -> dict[str, Any]:
    """The processes whose program's name begins with one of these."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            program = (process / "exe").readlink().name
        except OSError:
            continue
        if any(program.startswith(name) for name in names):
            found.append(int(process.name))
    return {"pids": found}


def memory(pids: list[int]) -> dict[str, Any]:
    """What these processes hold in memory, pages that are shared counted in parts."""
    total = 0
    for pid in pids:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1])
    return {"kib": total}


def forget(pids: list[int]) -> dict[str, Any]:
    """Let the largest resident set begin anew: proc(5), clear_refs."""
    for pid in pids:
        Path(f"/proc/{pid}/clear_refs").write_text("5")
    return {}


def peak(pids: list[int]) -> dict[str, Any]:
    """The largest resident sets of these processes, together."""
    total = 0
    for pid in pids:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                total += int(line.split()[1])
    return {"kib": total}


def main() -> None:
    """Answer until stdin ends."""
    actions: dict[str, Callable[..., dict[str, Any]]] = {
        "run": run,
        "write": write,
        "tree": tree,
        "remove": remove,
        "pids": pids,
        "memory": memory,
        "forget": forget,
        "peak": peak,
    }
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = actions[request.pop("do")](**request)
        except (OSError, subprocess.TimeoutExpired) as error:
            answer = {"error": str(error)}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
