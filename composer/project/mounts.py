"""The forms of a service's `volumes`.

Short: `[SOURCE:]TARGET[:OPTIONS]` <https://github.com/compose-spec/compose-spec/blob/main/05-services.md#volumes>. A
source that begins with `.`, `/` or `~` is a path of the host, any other names a volume. Windows' paths (`C:\\data`) are
known as such, so that files with them can be read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from composer.project.document import Mapping, Mark, Node, Path, Scalar, say
from composer.project.records import Attribute, MapOf, Record, Status
from composer.project.report import Report
from composer.project.rows import SIZE
from composer.project.scalars import as_text
from composer.project.shapes import (
    Flag,
    FormError,
    Schema,
    Text,
    Whole,
    derived,
    did_you_mean,
    failed,
    mismatch,
)

_PROPAGATIONS = ("private", "rprivate", "shared", "rshared", "slave", "rslave")
_IGNORED = ("cached", "delegated", "consistent")
"""About file sharing with virtual machines on macOS; without meaning on Linux."""
_OPTIONS = ("ro", "rw", "z", "Z", "nocopy", *_PROPAGATIONS, *_IGNORED)

LONG_MOUNT = Record(
    {
        "type": Attribute(
            Text(choices=("bind", "volume", "tmpfs", "image", "npipe", "cluster")),
            "What is mounted.",
            required=True,
            examples=("bind",),
        ),
        "source": Attribute(
            Text(), "The host's path, or the volume's name; an anonymous volume has none.", examples=("./data", "data")
        ),
        "target": Attribute(Text(), "Where it appears in the container.", required=True, examples=("/var/lib/data",)),
        "read_only": Attribute(Flag(), "Mount it read-only.", default=False),
        "consistency": Attribute(Text(), "Without meaning on Linux."),
        "bind": Attribute(
            Record(
                {
                    "selinux": Attribute(Text(choices=("z", "Z")), "Relabel for SELinux, shared or private."),
                    "propagation": Attribute(
                        Text(choices=_PROPAGATIONS), "See mount_namespaces(7).", default="rprivate"
                    ),
                    "create_host_path": Attribute(
                        Flag(), "Create a missing directory on the host.", always=True, default=True
                    ),
                    "recursive": Attribute(Text(), "How mounts below it are treated.", Status.PARSED),
                }
            ),
            "Options of a bind mount.",
            always=True,
        ),
        "volume": Attribute(
            Record(
                {
                    "nocopy": Attribute(
                        Flag(), "Do not seed a new volume with what the image has there.", default=False
                    ),
                    "subpath": Attribute(Text(), "Mount only this directory of the volume.", examples=("logs",)),
                    "labels": Attribute(MapOf(Text(numbers=True)), "Labels of an anonymous volume.", Status.PARSED),
                }
            ),
            "Options of a volume.",
            always=True,
        ),
        "tmpfs": Attribute(
            Record(
                {
                    "size": Attribute(SIZE, "The most it may hold."),
                    "mode": Attribute(Whole(0), "Its permissions, in octal."),
                }
            ),
            "Options of a tmpfs.",
            always=True,
        ),
        "image": Attribute(
            Record({"subpath": Attribute(Text(), "Mount only this directory of the image.")}),
            "Options of an image's files.",
            Status.PARSED,
        ),
    }
)


@dataclass(frozen=True)
class MountEntry:
    """One entry of `volumes`; canonical is the long form."""

    def read(self, node: Node, path: Path, report: Report) -> Node | None:
        if isinstance(node, Scalar) and isinstance(node.value, str):
            try:
                return _short(node.value, node.mark, path, report)
            except FormError as error:
                failed(error, node, path, report)
                return None
        if not isinstance(node, Mapping):
            mismatch("a volume like `./data:/data`", node, path, report)
            return None
        if len(node.entries) == 1 and not node.entries.keys() & LONG_MOUNT.attributes.keys():
            ((source, target),) = node.entries.items()
            rest = as_text(target.value) if isinstance(target, Scalar) and target.value is not None else "/PATH"
            mismatch("a volume like `./data:/data`", node, path, report, f"write `- {source}:{rest}`, without a space")
            return None
        read = LONG_MOUNT.read(node, path, report)
        return _completed(read, path, report) if isinstance(read, Mapping) else None

    def show(self, node: Node) -> Any:
        return LONG_MOUNT.show(node)

    def schema(self) -> Schema:
        short = {"type": "string", "examples": ["data:/var/lib/data", "./src:/app/src:ro", "/var/cache"]}
        return {"oneOf": [short, LONG_MOUNT.schema()]}


def is_windows_path(text: str) -> bool:
    """Whether `text` is a path with a drive, or of a share or pipe."""
    return (text[1:2] == ":" and text[:1].isalpha()) or text.startswith("\\\\")


def _pieces(text: str) -> list[str]:
    """What stands between the colons that are not a drive's: of `C:\\a:/b` and `c:/a:/b`, but `c:/b` has the volume `c`."""
    words = text.split(":")
    pieces: list[str] = []
    while words:
        word, after = words.pop(0), words[0] if words else ""
        then = words[1] if len(words) > 1 else ""
        if len(word) == 1 and word.isalpha() and (after.startswith("\\") or after[:1] == "/" == then[:1]):
            word = f"{word}:{words.pop(0)}"
        pieces.append(word)
    return pieces


def _short(text: str, mark: Mark, path: Path, report: Report) -> Mapping:
    pieces = _pieces(text)
    if len(pieces) > 3 or not all(pieces):
        raise FormError(f"`{text}` is not a volume", label="expected `[SOURCE:]TARGET[:OPTIONS]`")
    if len(pieces) == 1:
        entry = _mapping({"type": "volume", "target": text}, mark)
        entry.entries["volume"] = _mapping({}, mark)
        return entry
    source, target = pieces[:2]
    options = pieces[2].split(",") if len(pieces) == 3 else []
    for option in options:
        if option not in _OPTIONS:
            # Docker Compose says nothing of it: files with other tools' options must load.
            message = f"{say(path)}: there is no option `{option}` of a volume, it has no effect"
            report.warn(message, mark.part(option), hint=did_you_mean(option, _OPTIONS))
    is_bind = source[0] in "./~" or is_windows_path(source)
    entry = _mapping({"type": "bind" if is_bind else "volume", "source": source, "target": target}, mark)
    if "ro" in options:
        entry.entries["read_only"] = derived(True, mark)
    details: dict[str, str | bool] = {"create_host_path": True} if is_bind else {}
    for option in options:
        if is_bind and option in _PROPAGATIONS:
            details["propagation"] = option
        elif is_bind and option in ("z", "Z"):
            details["selinux"] = option
        elif option == "nocopy" and not is_bind:
            details["nocopy"] = True
    entry.entries["bind" if is_bind else "volume"] = _mapping(details, mark)
    return entry


def _mapping(entry: dict[str, str | bool], mark: Mark) -> Mapping:
    return Mapping({key: derived(value, mark.part(str(value))) for key, value in entry.items()}, mark)


def _missing(needed: str, entry: Mapping) -> str:
    source = entry.get("source")
    if needed == "target":
        return "add the place in the container as `target`"
    is_path = isinstance(source, Scalar) and str(source.value)[:1] in ("/", ".", "~")
    return f"add `type: {'bind' if is_path else 'volume' if source else 'tmpfs'}`"


def _completed(entry: Mapping, path: Path, report: Report) -> Mapping | None:
    kind = entry.get("type")
    known = entry.keys.keys() <= LONG_MOUNT.attributes.keys()
    for needed in ("type", "target"):
        if needed not in entry.keys and known:
            report.error(f"{say(path)} has no `{needed}`", entry.mark, hint=_missing(needed, entry))
    if not isinstance(kind, Scalar) or entry.get("target") is None:
        return None
    if kind.value == "bind" and "source" not in entry.keys:
        report.error(f"{say(path)} has no `source`", entry.mark, hint="a bind mount needs the host's path as `source`")
        return None
    for other in ("bind", "volume", "tmpfs"):
        if other != kind.value and other in entry.entries:
            message = f"{say(path)}: `{other}` options have no effect on a mount of type `{kind.value}`"
            report.warn(message, entry.key(other))
    return entry
