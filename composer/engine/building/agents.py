"""The user's ssh agent inside a step: a socket of the step's own, with its owner and mode, that leads to the agent's."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

from composer.build.worker import Agent
from composer.keeper.wire import short_name

_CHUNK = 65536


@contextlib.asynccontextmanager
async def forwarded(agent: Agent, path: Path) -> AsyncIterator[Path]:
    """A socket at `path` that answers as the agent does; gone at the end."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            agent_reader, agent_writer = await asyncio.open_unix_connection(agent.socket)
        except OSError:
            writer.close()  # no agent: the client says that it cannot reach one
            return
        await asyncio.gather(_pass_on(reader, agent_writer), _pass_on(agent_reader, writer), return_exceptions=True)

    with short_name(path) as name:
        server = await asyncio.start_unix_server(serve, name)
    path.chmod(agent.mode)
    os.chown(path, agent.uid, agent.gid)
    try:
        yield path
    finally:
        server.close()
        path.unlink(missing_ok=True)


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()
    finally:
        writer.close()
