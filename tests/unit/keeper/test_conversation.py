"""Answers of the keeper that nobody takes."""

from __future__ import annotations

import asyncio
import os
import socket
from typing import Any

import pytest

from composer.keeper import wire
from composer.keeper.conversation import Conversation


@pytest.mark.parametrize("when", ["before", "as it comes"])
def test_the_descriptors_of_an_answer_are_closed_when_who_asked_has_given_up(when: str) -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setblocking(False)
    came: list[int] = []

    async def scenario() -> None:
        conversation = Conversation(ours, lambda _message, _fds: None, lambda: None)
        loop = asyncio.get_running_loop()

        def take(_message: dict[str, Any], fds: list[int]) -> list[int]:
            came.extend(fds)
            if when == "as it comes":
                loop.call_soon(asking.cancel)  # before it goes on with the answer that it has then
            return fds

        asking = asyncio.create_task(conversation.ask({"do": "something"}, (), take))
        await asyncio.sleep(0)
        if when == "before":
            asking.cancel()
        with open(os.devnull) as something:  # noqa: ASYNC230, PTH123
            wire.send(theirs, {"is": "done", "ticket": 1}, [something.fileno()])
        with pytest.raises(asyncio.CancelledError):
            await asking
        while not came:  # noqa: ASYNC110  the loop reads it
            await asyncio.sleep(0)
        conversation.end()

    asyncio.run(asyncio.wait_for(scenario(), 30))
    theirs.close()

    assert came
    for fd in came:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(fd)
