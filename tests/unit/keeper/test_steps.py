import json
from dataclasses import fields
from typing import Any

import pytest

from composer.keeper import wire
from composer.keeper.perform import describe
from composer.keeper.steps import (
    Bind,
    Credentials,
    Exec,
    JoinCgroup,
    Netlink,
    Overlay,
    Seccomp,
    Step,
    from_wire,
    to_wire,
)

EVERY_STEP: tuple[type[Step], ...] = Step.__args__


def example(kind: type[Step]) -> Step:
    """A step of `kind`, each field holding something of its type."""
    values: dict[str, Any] = {"str": "x", "int": 1, "bool": True, "bytes": b"\0\xff", "tuple[str, ...]": ("a", "b")}
    values |= {"tuple[int, ...]": (1, 2), "tuple[bytes, ...]": (b"a", b"b"), "tuple[int, ...] | None": (3,)}
    values |= {"tuple[tuple[str, bytes, int, int, int], ...]": (("/a", b"\xff", 0o400, 1, 2),)}
    return kind(**{field.name: values[str(field.type)] for field in fields(kind)})


@pytest.mark.parametrize("kind", EVERY_STEP)
def test_every_step_survives_the_wire(kind: type[Step]) -> None:
    step = example(kind)

    assert from_wire(json.loads(json.dumps(to_wire([step]), default=wire.plain))) == [step]


@pytest.mark.parametrize("kind", EVERY_STEP)
def test_every_step_can_be_spoken_of(kind: type[Step]) -> None:
    assert describe(example(kind))


def test_order_and_nesting_are_kept() -> None:
    steps: list[Step] = [
        JoinCgroup(("/sys/fs/cgroup/a",)),
        Overlay("/root", ("/l2", "/l1"), "/upper", "/work"),
        Bind("/host", "/inside", read_only=True),
        Netlink(0, (b"\x00\x01", b"\x02"), tolerate=(17,)),
        Seccomp(bytes(range(256))),
        Credentials(1, 2, None),
        Exec(("a", "b c"), ("A=1",)),
    ]

    assert from_wire(to_wire(steps)) == steps


@pytest.mark.parametrize("data", [[["NoSuchStep", {}]], [["Hostname", {"nickname": "x"}]], [["Hostname"]], ["x"]])
def test_what_is_no_step_is_refused(data: list[Any]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        from_wire(data)
