from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any, cast

from composer.registry import upload
from tests.patience import PATIENCE


class SlowFile:
    """A file on a disk that takes its time, and itself what `open` gives."""

    def __init__(self) -> None:
        self.begun, self.go_on = threading.Event(), threading.Event()
        self.done: list[str] = []

    def open(self, *_arguments: Any, **_options: Any) -> SlowFile:
        return self

    def seek(self, _position: int) -> None: ...

    def read(self, _size: int) -> bytes:
        self.begun.set()
        assert self.go_on.wait(PATIENCE)
        self.done.append("read")
        return b"data"

    def __enter__(self) -> SlowFile:
        return self

    def __exit__(self, *_what: object) -> None:
        self.done.append("closed")


def test_a_file_is_not_closed_under_who_reads_it_when_the_push_is_given_up() -> None:
    file = SlowFile()

    async def scenario() -> None:
        async def read() -> list[bytes]:
            return [data async for data in upload._part(cast(Path, file), 0, 4, lambda _reached: None)]

        reading = asyncio.create_task(read())
        await asyncio.to_thread(file.begun.wait)
        reading.cancel()
        await asyncio.sleep(0.01)
        file.go_on.set()
        await asyncio.wait([reading])

        assert file.done == ["read", "closed"]

    asyncio.run(scenario())
