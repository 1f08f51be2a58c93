"""The attributes of devices and of block input and output
<https://github.com/compose-spec/compose-spec/blob/main/05-services.md#devices>."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from composer.project.attributes_deploy import DEVICE_REQUESTS
from composer.project.document import Mapping, Node, Path, Scalar
from composer.project.records import ListOf, Record
from composer.project.report import Report
from composer.project.rows import SIZE, of, unheard
from composer.project.shapes import FormError, Schema, Text, Whole, derived, failed

_PERMISSIONS = frozenset("rwm")

LONG_DEVICE = Record(
    {
        "source": of(Text(), "The device of this machine.", required=True),
        "target": of(Text(), "Where it appears in the container; the same place if left out."),
        "permissions": of(Text(), "What may be done with it: `r`, `w`, `m`; all if left out."),
    },
    needs=("source",),
)


@dataclass(frozen=True)
class Device:
    """`HOST[:CONTAINER[:PERMISSIONS]]`, or the long form, which is canonical; a name with `=` is a CDI device."""

    def read(self, node: Node, path: Path, report: Report) -> Node | None:
        if not isinstance(node, Scalar):
            return LONG_DEVICE.read(node, path, report)
        text = Text().read(node, path, report)
        if not isinstance(text, Scalar):
            return None
        try:
            return Mapping({key: derived(value, node.mark) for key, value in _short(str(text.value))}, node.mark)
        except FormError as error:
            failed(error, node, path, report)
            return None

    def show(self, node: Node) -> Any:
        return LONG_DEVICE.show(node)

    def schema(self) -> Schema:
        short = {"type": "string", "examples": ["/dev/ttyUSB0:/dev/ttyUSB0", "/dev/fuse"]}
        return {"oneOf": [short, LONG_DEVICE.schema()]}


def _short(text: str) -> list[tuple[str, str]]:
    if "=" in text:
        return [("source", text)]
    pieces = text.split(":")
    if len(pieces) > 3 or not all(pieces):
        raise FormError(f"`{text}` is not a device", label="expected `HOST[:CONTAINER[:PERMISSIONS]]`")
    source, *rest = pieces
    if len(rest) == 1 and set(rest[0]) <= _PERMISSIONS:
        rest = [source, *rest]
    target, permissions = (*rest, source, "rwm")[:2] if not rest else (rest[0], rest[1] if len(rest) > 1 else "rwm")
    if not set(permissions) <= _PERMISSIONS:
        raise FormError(f"`{text}` has unknown permissions", part=permissions, label="expected some of `r`, `w`, `m`")
    return [("source", source), ("target", target), ("permissions", permissions)]


@dataclass(frozen=True)
class Gpus:
    """`all`, or a list of device requests; canonical is the list."""

    def read(self, node: Node, path: Path, report: Report) -> Node | None:
        if isinstance(node, Scalar):
            return Text(choices=("all",)).read(node, path, report)
        return DEVICE_REQUESTS.read(node, path, report)

    def show(self, node: Node) -> Any:
        return [{"count": -1}] if isinstance(node, Scalar) else DEVICE_REQUESTS.show(node)

    def schema(self) -> Schema:
        return {"oneOf": [{"const": "all"}, DEVICE_REQUESTS.schema()]}


def _rates(shape: Any) -> ListOf:
    return ListOf(
        Record(
            {
                "path": of(Text(), "The device.", required=True),
                "rate": of(shape, "A second.", required=True, always=True),
            }
        )
    )


BLKIO = Record(
    {
        "weight": unheard(Whole(0), "Its share of input and output against others, 10 to 1000."),
        "weight_device": unheard(
            ListOf(
                Record(
                    {
                        "path": of(Text(), "The device.", required=True),
                        "weight": of(Whole(0), "The share.", required=True, always=True),
                    }
                )
            ),
            "The same by device.",
        ),
        "device_read_bps": unheard(_rates(SIZE), "The most bytes read a second."),
        "device_read_iops": unheard(_rates(SIZE), "The most reads a second."),
        "device_write_bps": unheard(_rates(SIZE), "The most bytes written a second."),
        "device_write_iops": unheard(_rates(SIZE), "The most writes a second."),
    }
)
