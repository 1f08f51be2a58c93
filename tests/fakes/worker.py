"""A worker for RUN steps without processes: it writes what the step says, remembers what it ran, and can stop for good."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from composer.build.worker import RunTask


class Stopped(BaseException):
    """The engine died here."""


class FakeWorker:
    """Each step writes a file named and filled by its command, or does nothing for one that begins with `nothing`."""

    def __init__(self, stop_after: int | None = None) -> None:
        """With `stop_after` the step after so many others never ends well."""
        self.ran: Counter[str] = Counter()
        self._stop_after = stop_after

    async def run(self, task: RunTask, started: Callable[[], None], output: Callable[[bytes], None]) -> int:
        """See `build.worker.Worker.run`."""
        command = task.operation.argv[-1]
        assert all(path.is_dir() for path in task.lower), "a layer moved before the step was mounted on it"
        await asyncio.sleep(0)
        started()
        if self._stop_after is not None and self.ran.total() >= self._stop_after:
            raise Stopped
        self.ran[command] += 1
        await asyncio.sleep(0)
        output(command.encode())
        if not command.startswith("nothing"):
            (task.upper / f"by {command}").write_text(command)
        return 1 if command.startswith("fail") else 0

    async def quiet(self) -> None:
        """Nothing is ever left."""


class ForgetfulWorker(FakeWorker):
    """Every run of a step makes something else, and each tells what it saw of those below."""

    runs = 0
    """Of all of them together."""

    async def run(self, task: RunTask, started: Callable[[], None], output: Callable[[bytes], None]) -> int:
        """See `build.worker.Worker.run`."""
        ForgetfulWorker.runs += 1
        made, command = f"{ForgetfulWorker.runs}", task.operation.argv[-1]
        (task.upper / f"seen by {command}").write_text(seen(task.lower))
        status = await super().run(task, started, output)
        (task.upper / f"by {command}").write_text(made)
        return status


def seen(layers: Sequence[Path]) -> str:
    """What the steps below have made, topmost first; the same name counts where it is highest."""
    made = {path.name: path.read_text() for layer in reversed(layers) for path in layer.glob("by *")}
    return repr(sorted(made.items()))
