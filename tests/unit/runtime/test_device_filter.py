"""The program, run by a small interpreter of the few instructions that it is made of."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as some

from composer.oci.runtime_spec import LinuxDeviceCgroup
from composer.runtime import device_rules
from composer.runtime.device_filter import assemble

TYPES = {"b": 1, "c": 2}
ACCESS = {"m": 1, "r": 2, "w": 4}


def run(program: bytes, kind: str, major: int, minor: int, access: str) -> bool:
    """What the program answers to a process that wants `access` to a device."""
    context = struct.pack("=III", sum(ACCESS[letter] for letter in access) << 16 | TYPES[kind], major, minor)
    registers = [0] * 11
    at = 0
    while True:
        operation, pair, offset, constant = struct.unpack_from("=BBhi", program, at * 8)
        destination, source = pair & 15, pair >> 4
        at += 1
        match operation:
            case 0x61:
                registers[destination] = struct.unpack_from("=I", context, offset)[0]
            case 0x54:
                registers[destination] &= constant & 0xFFFFFFFF
            case 0x74:
                registers[destination] >>= constant
            case 0xBC:
                registers[destination] = registers[source]
            case 0xB7:
                registers[destination] = constant
            case 0x55:
                at += offset if registers[destination] != constant else 0
            case 0x5D:
                at += offset if registers[destination] != registers[source] else 0
            case 0x95:
                return bool(registers[0])
            case _:
                raise AssertionError(hex(operation))


def decide(rules: tuple[LinuxDeviceCgroup, ...], kind: str, major: int, minor: int, access: str) -> bool:
    """The same by the words of the specification: the last rule that matches counts."""
    answer = False
    for rule in rules:
        matches = (
            rule.type in ("", "a", kind)
            and rule.major in (None, major)
            and rule.minor in (None, minor)
            and set(access) <= set(rule.access or "rwm")
        )
        if matches:
            answer = rule.allow
    return answer


numbers = some.integers(0, 3)
accesses = some.sets(some.sampled_from("rwm"), min_size=1).map(lambda letters: "".join(sorted(letters)))
some_rules = some.lists(
    some.builds(
        LinuxDeviceCgroup,
        some.booleans(),
        some.sampled_from(["", "a", "b", "c"]),
        some.none() | numbers,
        some.none() | numbers,
        some.just("") | accesses,
    ),
    max_size=6,
).map(tuple)


@given(some_rules, some.sampled_from("bc"), numbers, numbers, accesses)
def test_the_program_decides_as_the_rules_say(
    rules: tuple[LinuxDeviceCgroup, ...], kind: str, major: int, minor: int, access: str
) -> None:
    assert run(assemble(rules), kind, major, minor, access) == decide(rules, kind, major, minor, access)


@pytest.mark.parametrize(
    ("kind", "major", "minor", "access", "allowed"),
    [
        ("c", 1, 3, "rw", True),  # /dev/null
        ("c", 1, 11, "r", False),  # /dev/kmsg
        ("b", 8, 0, "r", False),  # a disk
        ("b", 8, 0, "m", True),  # a node of it may be made
        ("c", 136, 7, "rw", True),  # a terminal
        ("c", 10, 200, "rw", False),  # /dev/net/tun
    ],
)
def test_dockers_list_is_the_default(kind: str, major: int, minor: int, access: str, allowed: bool) -> None:
    assert run(assemble(device_rules.with_own(())), kind, major, minor, access) is allowed
