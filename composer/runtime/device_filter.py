"""Device rules as a program for cgroup v2, which has no files for them: bytes for `kernel.bpf.load`. Pure.

The kernel hands over `struct bpf_cgroup_dev_ctx`: access << 16 | type, major, minor. One block of instructions a rule, the
last rule first since the last match counts; a block that does not match jumps to the next. Answers 1 (go on) or 0 (EPERM).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from composer.oci.runtime_spec import LinuxDeviceCgroup

_TYPES = {"b": 1, "c": 2}
_ACCESS = {"m": 1, "r": 2, "w": 4}
_EVERY_ACCESS = 7

_INSTRUCTION = struct.Struct("=BBhi")
"""Operation, source << 4 | destination register, jump offset, constant: `struct bpf_insn`."""
_LOAD_WORD = 0x61  # BPF_LDX | BPF_MEM | BPF_W
_AND, _SHIFT_RIGHT = 0x54, 0x74  # BPF_ALU | BPF_AND / BPF_RSH | BPF_K
_COPY, _SET = 0xBC, 0xB7  # BPF_ALU | BPF_MOV | BPF_X; BPF_ALU64 | BPF_MOV | BPF_K
_UNLESS, _UNLESS_REGISTER = 0x55, 0x5D  # BPF_JMP | BPF_JNE | BPF_K / BPF_X
_EXIT = 0x95

_ANSWER, _CONTEXT, _TYPE, _WANTED, _MAJOR, _MINOR = range(6)
_SCRATCH = _CONTEXT
"""The context's register is free once everything is loaded."""


def assemble(rules: Sequence[LinuxDeviceCgroup]) -> bytes:
    """The program for `rules`; what none of them matches is denied."""
    program = [
        _step(_LOAD_WORD, _TYPE, _CONTEXT),
        _step(_AND, _TYPE, constant=0xFFFF),
        _step(_LOAD_WORD, _WANTED, _CONTEXT),
        _step(_SHIFT_RIGHT, _WANTED, constant=16),
        _step(_LOAD_WORD, _MAJOR, _CONTEXT, offset=4),
        _step(_LOAD_WORD, _MINOR, _CONTEXT, offset=8),
    ]
    for rule in reversed(rules):
        block = _block(rule)
        program += block
        if len(block) == len(_answer(True)):
            return b"".join(program)  # it matches everything: the verifier refuses code that is never reached
    return b"".join([*program, *_answer(False)])


def _block(rule: LinuxDeviceCgroup) -> list[bytes]:
    tests: list[tuple[int, int, int, list[bytes]]] = []
    if rule.type in _TYPES:
        tests.append((_UNLESS, _TYPE, _TYPES[rule.type], []))
    if (access := sum(_ACCESS[letter] for letter in set(rule.access))) not in (0, _EVERY_ACCESS):
        # All that is wanted must be in the rule.
        masked = [_step(_COPY, _SCRATCH, _WANTED), _step(_AND, _SCRATCH, constant=access)]
        tests.append((_UNLESS_REGISTER, _SCRATCH, 0, masked))
    for register, number in ((_MAJOR, rule.major), (_MINOR, rule.minor)):
        if number is not None:
            tests.append((_UNLESS, register, number, []))
    block = _answer(rule.allow)
    for operation, register, constant, before in reversed(tests):
        source = _WANTED if operation == _UNLESS_REGISTER else 0
        block = [*before, _step(operation, register, source, len(block), constant), *block]
    return block


def _answer(allow: bool) -> list[bytes]:
    return [_step(_SET, _ANSWER, constant=int(allow)), _step(_EXIT)]


def _step(operation: int, destination: int = 0, source: int = 0, offset: int = 0, constant: int = 0) -> bytes:
    return _INSTRUCTION.pack(operation, source << 4 | destination, offset, constant)
