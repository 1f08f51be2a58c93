import asyncio
from pathlib import Path

from composer.build.worker import Agent
from composer.engine.building.agents import forwarded


def test_what_a_step_says_reaches_the_agent_and_its_answer_comes_back(tmp_path: Path) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"heard " + await reader.readline())
        await writer.drain()
        writer.close()

    async def scenario() -> bytes:
        server = await asyncio.start_unix_server(answer, tmp_path / "agent")
        agent = Agent("/run/agent", str(tmp_path / "agent"), 0o600, 0, 0)
        async with server, forwarded(agent, tmp_path / "inside") as inside:
            assert inside.stat().st_mode & 0o777 == 0o600
            reader, writer = await asyncio.open_unix_connection(inside)
            writer.write(b"hello\n")
            said = await reader.read()
            writer.close()
        assert not inside.exists()
        return said

    assert asyncio.run(scenario()) == b"heard hello\n"


def test_without_an_agent_the_connection_ends(tmp_path: Path) -> None:
    async def scenario() -> bytes:
        agent = Agent("/run/agent", str(tmp_path / "nobody"), 0o600, 0, 0)
        async with forwarded(agent, tmp_path / "inside") as inside:
            reader, writer = await asyncio.open_unix_connection(inside)
            said = await reader.read()
            writer.close()
        return said

    assert asyncio.run(scenario()) == b""
