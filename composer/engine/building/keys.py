"""SSH keys that a build is given by their files: each gets an agent of its own, OpenSSH's, for as long as the build goes on."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import stat
import tempfile
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from composer.errors import HostError, UsageError


def is_socket(path: Path) -> bool:
    """Whether an agent's socket is there; what cannot be looked at is none."""
    try:
        return stat.S_ISSOCK(path.stat().st_mode)
    except OSError:
        return False


@contextlib.asynccontextmanager
async def agents(asked: Mapping[str, str]) -> AsyncIterator[dict[str, str]]:
    """The sockets of agents by id: those in `asked` that are sockets as they are, for files one that holds the key.

    Raises:
        UsageError: a key that cannot be read, or that has a passphrase.
        HostError: there is no ssh-agent here.
    """
    async with contextlib.AsyncExitStack() as stack:
        found: dict[str, str] = {}
        for name, path in asked.items():
            place = Path(path)
            found[name] = path if is_socket(place) else await stack.enter_async_context(_agent(place))
        yield found


@contextlib.asynccontextmanager
async def _agent(key: Path) -> AsyncIterator[str]:
    directory = Path(tempfile.mkdtemp(prefix="composer-agent-"))
    socket = directory / "agent"
    try:
        process = await _started(key, socket)
        try:
            await _add(key, socket)
            yield str(socket)
        finally:
            process.kill()
            await process.wait()
    finally:
        shutil.rmtree(directory, ignore_errors=True)


async def _started(key: Path, socket: Path) -> asyncio.subprocess.Process:
    """An agent that listens."""
    try:
        process = await asyncio.create_subprocess_exec(
            "ssh-agent",
            "-D",
            "-a",
            str(socket),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
    except FileNotFoundError as error:
        raise HostError(
            f"cannot give the build the key `{key}`: there is no ssh-agent", hint="install OpenSSH's client"
        ) from error
    assert process.stdout is not None
    await process.stdout.readline()  # it says where it listens once it does
    return process


async def _add(key: Path, socket: Path) -> None:
    try:
        content = await asyncio.to_thread(key.read_bytes)
    except OSError as error:
        raise UsageError(f"cannot read the SSH key `{key}`: {(error.strerror or str(error)).lower()}") from error
    # By its standard input: ssh-add refuses a file that others may read, which is no matter here.
    process = await asyncio.create_subprocess_exec(
        "ssh-add",
        "-q",
        "-",
        env={"SSH_AUTH_SOCK": str(socket), "PATH": "/usr/local/bin:/usr/bin:/bin", "SSH_ASKPASS_REQUIRE": "never"},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,  # away from any terminal, where it would ask for a passphrase
    )
    _, said = await process.communicate(content)
    if process.returncode:
        why = said.decode("utf-8", "replace").strip().splitlines()[-1:] or ["it is no private key"]
        raise UsageError(
            f"cannot use the SSH key `{key}`: {why[0]}",
            hint="a key with a passphrase belongs in an agent: `ssh-add` it, and give the build `default`",
        )
