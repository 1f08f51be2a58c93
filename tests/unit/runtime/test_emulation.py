from __future__ import annotations

from pathlib import Path

import pytest

from composer.errors import ImageError
from composer.oci.platform import this_platform
from composer.runtime.emulation import obstacle, runs_here

RISCV64 = (
    "{state}\ninterpreter /usr/libexec/qemu-binfmt/riscv64-binfmt-P\nflags: {flags}\noffset 0\n"
    "magic 7f454c460201010000000000000000000200f300\nmask ffffffffffffff00fffffffffffffffffeffffff\n"
)
"""As Debian's `qemu-user-static` registers it, read back from the kernel."""


def register(directory: Path, state: str = "enabled", flags: str = "POF") -> None:
    (directory / "register").write_text("")
    (directory / "status").write_text("enabled\n")
    (directory / "qemu-riscv64-static").write_text(RISCV64.format(state=state, flags=flags))


def test_what_is_this_machine_s_own_runs(tmp_path: Path) -> None:
    here = this_platform()

    assert runs_here(f"linux/{here.architecture}", tmp_path / "nothing")
    with pytest.raises(ImageError):
        runs_here("linux/!", tmp_path)


def test_an_interpreter_is_known_by_what_it_matches_whatever_its_name(tmp_path: Path) -> None:
    assert not runs_here("linux/riscv64", tmp_path)
    register(tmp_path)

    assert runs_here("linux/riscv64", tmp_path)
    assert not runs_here("linux/s390x", tmp_path)
    assert not runs_here("linux/unheard", tmp_path)


@pytest.mark.parametrize(
    "text", ["", "enabled\nmagic xyz\n", "enabled\nextension .exe\n", "enabled\nmagic 7f\noffset x\n"]
)
def test_other_interpreters_are_passed_over(tmp_path: Path, text: str) -> None:
    (tmp_path / "other").write_text(text)

    assert not runs_here("linux/riscv64", tmp_path)


def test_one_that_is_switched_off_does_not_count(tmp_path: Path) -> None:
    register(tmp_path, state="disabled")

    assert not runs_here("linux/riscv64", tmp_path)
    assert "Debian: `sudo apt install qemu-user-static" in obstacle("linux/riscv64", tmp_path)[1]


def test_one_that_containers_do_not_find_is_told(tmp_path: Path) -> None:
    register(tmp_path, flags="OC")

    assert not runs_here("linux/riscv64", tmp_path)
    message, hint = obstacle("linux/riscv64", tmp_path)
    assert message.endswith("registered without the flag `F`")
    assert "`F`" in hint


def test_a_slip_in_an_architecture_is_told(tmp_path: Path) -> None:
    assert obstacle("linux/armm64", tmp_path)[1] == "did you mean `linux/arm64`?"
