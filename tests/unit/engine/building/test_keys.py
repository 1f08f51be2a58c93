from __future__ import annotations

import asyncio
import shutil
import subprocess
from pathlib import Path

import pytest

from composer.engine.building.keys import agents, is_socket
from composer.errors import UsageError
from tests.patience import PATIENCE

pytestmark = pytest.mark.skipif(shutil.which("ssh-agent") is None, reason="OpenSSH's client is not installed")


def key(path: Path, passphrase: str = "") -> Path:
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-C", "the key", "-f", str(path)], check=True
    )
    return path


def known(socket: str) -> str:
    listed = subprocess.run(
        ["ssh-add", "-l"], env={"SSH_AUTH_SOCK": socket}, capture_output=True, text=True, check=True
    )
    return listed.stdout


def test_a_key_has_an_agent_for_as_long_as_it_is_used(tmp_path: Path) -> None:
    async def use() -> str:
        async with agents({"k": str(key(tmp_path / "k"))}) as sockets:
            assert "the key" in await asyncio.to_thread(known, sockets["k"])
            return sockets["k"]

    gone = Path(asyncio.run(use()))
    assert not gone.exists()
    assert not gone.parent.exists()


def test_a_key_that_others_may_read_is_used_all_the_same(tmp_path: Path) -> None:
    key(tmp_path / "k").chmod(0o644)

    async def use() -> None:
        async with agents({"k": str(tmp_path / "k")}) as sockets:
            assert is_socket(Path(sockets["k"]))

    asyncio.run(use())


@pytest.mark.parametrize("content", ["", "no key\n"])
def test_what_is_no_key_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "k").write_text(content)

    async def use() -> None:
        async with agents({"k": str(tmp_path / "k")}):
            pass

    with pytest.raises(UsageError, match="cannot use the SSH key"):
        asyncio.run(use())


def test_a_passphrase_is_not_asked_for(tmp_path: Path) -> None:
    async def use() -> None:
        async with agents({"k": str(key(tmp_path / "k", "secret phrase"))}):
            pass

    with pytest.raises(UsageError, match="cannot use the SSH key"):
        asyncio.run(asyncio.wait_for(use(), PATIENCE))
