"""What the compiled filter answers, call by call: the program is run in a small interpreter of classic BPF."""

from __future__ import annotations

import platform
import struct
from pathlib import Path

import pytest

from composer.errors import HostError
from composer.oci.runtime_spec import LinuxSeccomp, LinuxSyscall
from composer.runtime import seccomp
from composer.runtime.capabilities import DEFAULT

pytestmark = pytest.mark.skipif(platform.machine() != "x86_64", reason="numbers of x86_64")

X86_64, I386 = 0xC000003E, 0x40000003
ALLOW, KILL = 0x7FFF0000, 0x00000000
EPERM, ENOSYS = 0x00050001, 0x00050026
CLONE, CLONE3, SOCKET, PERSONALITY, UNSHARE, PTRACE, BPF, IO_URING_SETUP = 56, 435, 41, 135, 272, 101, 321, 425
PTHREAD_FLAGS = 0x3D0F00


def answer(program: bytes, number: int, *args: int, architecture: int = X86_64) -> int:
    """The filter's verdict: `seccomp_data` in, SECCOMP_RET_* out."""
    data = struct.pack(
        "<iIQ6Q", number - (1 << 32) if number >> 31 else number, architecture, 0, *args, *[0] * (6 - len(args))
    )
    instructions = list(struct.iter_unpack("HBBI", program))
    accumulator, position = 0, 0
    while True:
        code, if_true, if_false, k = instructions[position]
        position += 1
        match code:
            case 0x20:  # ld [k]
                (accumulator,) = struct.unpack_from("<I", data, k)
            case 0x54:  # and #k
                accumulator &= k
            case 0x05:  # ja
                position += k
            case 0x15 | 0x25 | 0x35 | 0x45:
                holds = {0x15: accumulator == k, 0x25: accumulator > k, 0x35: accumulator >= k, 0x45: accumulator & k}
                position += if_true if holds[code] else if_false
            case 0x06:  # ret #k
                return int(k)
            case _:
                raise AssertionError(f"unknown instruction {code:#x}")


@pytest.fixture(scope="module")
def program() -> bytes:
    try:
        return seccomp.compile_filter(seccomp.default_filter(DEFAULT))
    except HostError as error:
        pytest.skip(f"needs libseccomp: {error}")


@pytest.mark.parametrize("number", [0, 1, 2, 3, 9, 59, 60, 202, 231, 257, 262, 318, 322, 439])
def test_ordinary_calls_are_allowed(program: bytes, number: int) -> None:
    assert answer(program, number) == ALLOW


@pytest.mark.parametrize(
    "number",
    [
        *(155, 165, 166, 167, 168, 169, 170, 172, 175, 176),  # pivot_root mount umount2 swapon swapoff reboot ...
        *(246, 248, 249, 250, 256, 279, 298, 304, 308, 312, 313, 320, 323),  # kexec keyrings perf setns kcmp bpf ...
        *(UNSHARE, BPF, IO_URING_SETUP, 426, 427, 428, 429, 430, 431, 432, 433, 438, 442),
    ],
)
def test_what_reaches_beyond_the_container_is_refused(program: bytes, number: int) -> None:
    assert answer(program, number) == EPERM


def test_clone_is_for_threads_and_processes_only(program: bytes) -> None:
    assert answer(program, CLONE, PTHREAD_FLAGS) == ALLOW
    assert answer(program, CLONE, 17) == ALLOW
    for namespace in (0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000):
        assert answer(program, CLONE, namespace | 17) == EPERM
    assert answer(program, CLONE3) == ENOSYS


def test_vsock_is_refused_and_other_families_are_not(program: bytes) -> None:
    assert [answer(program, SOCKET, family) for family in (1, 2, 10, 16, 17, 40)] == [ALLOW] * 5 + [EPERM]


def test_personality_takes_five_values(program: bytes) -> None:
    for value in (0, 8, 0x20000, 0x20008, 0xFFFFFFFF):
        assert answer(program, PERSONALITY, value) == ALLOW
    assert answer(program, PERSONALITY, 0x0040000) == EPERM  # ADDR_NO_RANDOMIZE


@pytest.mark.parametrize("number", [500, 999, 0x40000000, 0x40000000 | 1, 0xFFFFFFFF])
def test_calls_newer_than_the_profile_do_not_exist(program: bytes, number: int) -> None:
    assert answer(program, number) == ENOSYS


def test_32_bit_programs_have_a_filter_of_their_own(program: bytes) -> None:
    write, mount, open_ = 4, 21, 5
    assert answer(program, write, architecture=I386) == ALLOW
    assert answer(program, open_, architecture=I386) == ALLOW
    assert answer(program, mount, architecture=I386) == EPERM
    assert answer(program, 900, architecture=I386) == ENOSYS
    assert answer(program, 0, architecture=0xC00000B7) == KILL, "a foreign architecture is not let through"


def test_a_capability_brings_its_calls(program: bytes) -> None:
    admin = seccomp.compile_filter(seccomp.default_filter((*DEFAULT, "CAP_SYS_ADMIN")))
    for call in (UNSHARE, CLONE3, BPF, 165):
        assert answer(program, call) != ALLOW
        assert answer(admin, call) == ALLOW
    assert answer(admin, CLONE, 0x10000000) == ALLOW
    assert answer(admin, 246) == EPERM, "kexec_load stays refused"

    no_chroot = seccomp.compile_filter(seccomp.default_filter([name for name in DEFAULT if name != "CAP_SYS_CHROOT"]))
    assert (answer(program, 161), answer(no_chroot, 161)) == (ALLOW, EPERM)


def test_a_program_is_compiled_once_and_a_damaged_one_again(program: bytes, tmp_path: Path) -> None:
    wanted = seccomp.default_filter(DEFAULT)

    assert seccomp.program(wanted, tmp_path) == program
    [file] = tmp_path.iterdir()
    stamp = file.stat().st_mtime_ns
    assert seccomp.program(wanted, tmp_path) == program
    assert file.stat().st_mtime_ns == stamp
    file.write_bytes(file.read_bytes()[:-8])

    assert seccomp.program(wanted, tmp_path) == program
    seccomp.program(seccomp.default_filter(()), tmp_path)
    assert len(list(tmp_path.iterdir())) == 2


def test_a_filter_of_ones_own_can_log_or_kill(program: bytes) -> None:
    calls = (LinuxSyscall(("getpid",), "SCMP_ACT_LOG"), LinuxSyscall(("no_such_call",), "SCMP_ACT_ALLOW"))
    mine = seccomp.compile_filter(LinuxSeccomp("SCMP_ACT_KILL_PROCESS", syscalls=calls))

    assert answer(mine, 39) == 0x7FFC0000
    assert answer(mine, 40) == 0x80000000
