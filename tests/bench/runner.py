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
    {"do": "weigh", "argv": [...]}                 {"seconds", "code", "kib"}       the largest resident set of a command
    {"do": "cpu", "pids": [...]}                   {"seconds": ...}     the time that they have computed
    {"do": "start", "argv": [...], "cwd": "...", "until": "..."}  {"pid"}   a command that goes on, once it has said that
    {"do": "end", "pid": ...}                      {}                   Ctrl-C, and its end
    {"do": "save", "path": "...", "text": "...", "seen": "...", "want": "..."}  {"seconds"}  until `want` is in the file `seen`
    {"do": "check_out", "path": "...", "files": n, "stamp": "...", "there": "..."}  {"seconds"}   every file of a tree written
        anew as git does, then the time until `there` has the same
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

LONGEST = 600.0
PATIENCE = 60.0
"""Seconds after which what was saved is not waited for any more."""
TICKS = os.sysconf("SC_CLK_TCK")


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


def weigh(argv: list[str]) -> dict[str, Any]:
    """One command to its end, with the largest resident set of it or of a process it has waited for."""
    with tempfile.TemporaryFile() as output:
        began = time.perf_counter()
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read().decode("utf-8", "replace")
    return {"seconds": seconds, "code": process.returncode, "kib": usage.ru_maxrss, "output": text}


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


def cpu(pids: list[int]) -> dict[str, Any]:
    """Their time in user and kernel mode, proc_pid_stat(5)."""
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return {"seconds": ticks / TICKS}


def start(argv: list[str], cwd: str, until: str) -> dict[str, Any]:
    """A command in the background; its process is a child of ours."""
    log = Path(cwd, ".log")
    with log.open("wb") as output:
        process = subprocess.Popen(argv, cwd=cwd, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    if not _wait(lambda: until in log.read_text("utf-8", "replace") or process.poll() is not None):
        process.kill()
        process.wait()
        return {"error": f"{argv} did not say {until!r}: {log.read_text('utf-8', 'replace')}"}
    _started[process.pid] = process
    return {"pid": process.pid}


def end(pid: int) -> dict[str, Any]:
    """The end of a command that `start` began."""
    process = _started.pop(pid)
    process.send_signal(signal.SIGINT)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    return {}


def save(path: str, text: str, seen: str, want: str) -> dict[str, Any]:
    """A save as most editors do it, and how long it took to be seen."""
    fresh = Path(f"{path}.new~")
    fresh.write_text(text)
    began = time.perf_counter()
    fresh.rename(path)
    if not _wait(lambda: want in _read(Path(seen))):
        return {"error": f"{want} is not in {seen}: {_read(Path(seen))}"}
    return {"seconds": time.perf_counter() - began}


def check_out(path: str, files: int, stamp: str, there: str) -> dict[str, Any]:
    """The time from the last file's being written to the first look that finds all of them the same."""
    texts = {f"{number // 50}/{number % 50}.js": f"// {stamp} {number}\n" * 50 for number in range(files)}
    for name, text in texts.items():
        place = Path(path, name)
        place.unlink(missing_ok=True)
        place.write_text(text)
    began = time.perf_counter()
    if not _wait(lambda: all(_read(Path(there, name)) == text for name, text in texts.items())):
        return {"error": f"{there} is not as {path}"}
    return {"seconds": time.perf_counter() - began}


def _wait(condition: Callable[[], bool]) -> bool:
    """Whether it came true in time."""
    last = time.perf_counter() + PATIENCE
    while not condition():
        if time.perf_counter() > last:
            return False
        time.sleep(0.001)
    return True


def _read(path: Path) -> str:
    """A file that may not be there at this moment."""
    try:
        return path.read_text()
    except OSError:
        return ""


_started: dict[int, subprocess.Popen[bytes]] = {}


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
        "weigh": weigh,
        "cpu": cpu,
        "start": start,
        "end": end,
        "save": save,
        "check_out": check_out,
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
