"""The forms of single attributes, where a shape of general use does not do."""

from __future__ import annotations

import ipaddress
import re
import signal
from dataclasses import dataclass, replace
from typing import Any

from composer.project.document import Mapping, Mark, Node, Path, Scalar, Sequence, is_null, plain, say
from composer.project.quantities import parse_duration
from composer.project.records import ListOf
from composer.project.report import Report
from composer.project.scalars import as_text
from composer.project.shapes import FormError, Plain, Schema, Shape, Text, Whole, derived, did_you_mean, mismatch
from composer.project.variables import is_unfilled, split_outside
from composer.project.words import split_words


@dataclass(frozen=True)
class Either:
    """Different shapes for different kinds of nodes."""

    scalar: Shape
    mapping: Shape

    def read(self, node: Node, path: Path, report: Report) -> Node | None:
        return (self.mapping if isinstance(node, Mapping) else self.scalar).read(node, path, report)

    def show(self, node: Node) -> Any:
        return (self.mapping if isinstance(node, Mapping) else self.scalar).show(node)

    def schema(self) -> Schema:
        return {"oneOf": [self.scalar.schema(), self.mapping.schema()]}


@dataclass(frozen=True)
class Words(Plain):
    """A command: a list of words, or a string that is split into them; canonical is the list."""

    def read(self, node: Node, path: Path, report: Report) -> Node | None:
        if isinstance(node, Sequence):
            return ListOf(Text()).read(node, path, report)
        if not isinstance(node, Scalar) or not isinstance(node.value, str):
            mismatch("a string or a list of strings", node, path, report)
            return None
        try:
            words, rest = split_words(node.value)
        except ValueError as error:
            report.error(f"{say(path)} cannot be split into words: {error}", node.mark)
            return None
        if rest:
            message = f"{say(path)}: `{rest}` is left out, because no shell runs this"
            report.warn(message, node.mark.part(rest), hint='say `["sh", "-c", "…"]` for a shell, or quote it')
        return Sequence(tuple(derived(word, node.mark) for word in words), node.mark, node.tag)

    def schema(self) -> Schema:
        return {"oneOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}, {"type": "null"}]}


@dataclass(frozen=True)
class Probe(Plain):
    """`healthcheck.test`: a shell line, or a list that begins with `NONE`, `CMD` or `CMD-SHELL`."""

    def read(self, node: Node, path: Path, report: Report) -> Node | None:
        if isinstance(node, Scalar) and isinstance(node.value, str):
            return Sequence((derived("CMD-SHELL", node.mark), node), node.mark, node.tag)
        read = ListOf(Text()).read(node, path, report)
        if not isinstance(read, Sequence) or not read.items:
            return read
        first = read.items[0]
        if report.raw and is_unfilled(first):
            return read
        if isinstance(first, Scalar) and first.value not in ("NONE", "CMD", "CMD-SHELL"):
            hint = (
                did_you_mean(str(first.value).upper(), ("NONE", "CMD", "CMD-SHELL")) or "put `CMD` before the command"
            )
            report.error(
                f"{say(path)} must begin with `CMD`, `CMD-SHELL` or `NONE`, found {first}", first.mark, hint=hint
            )
            return None
        return read

    def schema(self) -> Schema:
        examples = [["CMD", "curl", "-f", "http://localhost"], "pg_isready -U postgres"]
        return {"oneOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}], "examples": examples}


@dataclass(frozen=True)
class Pairs:
    """Names with values: a mapping, or a list of `NAME=VALUE`; canonical is the mapping, a bare `NAME` has null."""

    def read(self, node: Node, path: Path, report: Report) -> Node | None:
        entries: dict[str, Node] = {}
        keys: dict[str, Mark] = {}
        if isinstance(node, Mapping):
            for name, value in node.entries.items():
                read = value if is_null(value) else Text(numbers=True).read(value, (*path, name), report)
                if read is not None:
                    entries[name], keys[name] = read, node.key(name)
        elif isinstance(node, Sequence):
            for index, item in enumerate(node.items):
                if isinstance(item, Mapping) and len(item.entries) == 1:
                    ((name, value),) = item.entries.items()
                    hint = f"write `- {name}={as_text(value.value)}`" if isinstance(value, Scalar) else ""
                    mismatch("a string", item, (*path, index), report, hint)
                    continue
                pair = Text().read(item, (*path, index), report)
                if isinstance(pair, Scalar):
                    name, equals, text = split_outside(str(pair.value), "=")
                    if not name:
                        report.error(f"{say((*path, index))} has no name before the `=`", pair.mark)
                    said = derived(text if equals else None, pair.mark)
                    # As a key, a variable would stay one for ever: such pairs are shown as a list again.
                    entries[name] = replace(said, text=str(pair.value)) if report.raw and "$" in name else said
                    keys[name] = pair.mark
        else:
            mismatch("a mapping or a list of `NAME=VALUE`", node, path, report)
            return None
        return Mapping(entries, node.mark, keys, node.tag)

    def show(self, node: Node) -> Any:
        if not isinstance(node, Mapping):
            return plain(node)
        entries = node.entries
        lines = {name: name if is_null(value) else f"{name}={plain(value)}" for name, value in entries.items()}
        if any(
            "$" in name and value.text == lines[name] for name, value in entries.items() if isinstance(value, Scalar)
        ):
            return sorted(lines.values())
        return dict(sorted(plain(node).items()))

    def schema(self) -> Schema:
        mapping = {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean", "null"]}}
        return {"oneOf": [mapping, {"type": "array", "items": {"type": "string"}}]}


@dataclass(frozen=True)
class Labels(Pairs):
    """Pairs where a name alone has the empty value."""

    def show(self, node: Node) -> Any:
        shown = super().show(node)
        if not isinstance(shown, dict):
            return shown
        return {name: "" if value is None else value for name, value in shown.items()}


@dataclass(frozen=True)
class Keys(Pairs):
    """Pairs that are shown as a list again: `ssh`."""

    def show(self, node: Node) -> Any:
        shown = super().show(node)
        if not isinstance(shown, dict):
            return shown
        return [name if value is None else f"{name}={value}" for name, value in shown.items()]


@dataclass(frozen=True)
class Hosts:
    """`extra_hosts`: a mapping, or a list of `NAME=ADDRESS` or `NAME:ADDRESS`; canonical is a list with `=`."""

    def read(self, node: Node, path: Path, report: Report) -> Node | None:
        pairs: list[tuple[str, str, Scalar, Path]] = []
        if isinstance(node, Mapping):
            for name, value in node.entries.items():
                read = ListOf(Text(), alone=True).read(value, (*path, name), report)
                items = read.items if isinstance(read, Sequence) else ()
                pairs += [(name, str(item.value), item, (*path, name)) for item in items if isinstance(item, Scalar)]
        elif isinstance(node, Sequence):
            for index, item in enumerate(node.items):
                line = Text().read(item, (*path, index), report)
                if isinstance(line, Scalar):
                    text = str(line.value)
                    sign = "=" if split_outside(text, "=")[1] else ":"
                    name, _, address = split_outside(text, sign)
                    pairs.append((name, address, line, (*path, index)))
        else:
            mismatch("a mapping or a list of `NAME=ADDRESS`", node, path, report)
            return None
        read_items = [_host(*pair, report) for pair in pairs]
        return Sequence(tuple(item for item in read_items if item is not None), node.mark, node.tag)

    def show(self, node: Node) -> Any:
        return sorted(plain(node)) if isinstance(node, Sequence) else plain(node)

    def schema(self) -> Schema:
        addresses = {"oneOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}
        lines = {"type": "array", "items": {"type": "string"}, "examples": [["host.docker.internal:host-gateway"]]}
        return {"oneOf": [{"type": "object", "additionalProperties": addresses}, lines]}


def _host(name: str, address: str, node: Scalar, path: Path, report: Report) -> Node | None:
    if report.raw and is_unfilled(node):
        return node if "$" in name and not address else derived(f"{name.strip()}={address.strip()}", node.mark)
    bare = address.strip().removeprefix("[").removesuffix("]")
    if not bare:
        hint = "write `NAME=ADDRESS`, or `NAME=host-gateway` for this machine"
        report.error(f"{say(path)}: `{name}` has no address", node.mark, hint=hint)
        return None
    if bare != "host-gateway":
        try:
            ipaddress.ip_address(bare)
        except ValueError:
            hint = (
                did_you_mean(bare, ("host-gateway",)) or "write `NAME=ADDRESS`, or `NAME=host-gateway` for this machine"
            )
            label = "expected an IP address"
            report.error(
                f"{say(path)}: `{address}` is not an IP address", node.mark.part(address), label=label, hint=hint
            )
            return None
    return derived(f"{name.strip()}={bare}", node.mark)


@dataclass(frozen=True)
class UlimitForm:
    """A limit: one number for both, or `soft` and `hard`; canonical is the mapping."""

    def read(self, node: Node, path: Path, report: Report) -> Node | None:
        if not isinstance(node, Mapping):
            both = Whole(-1).read(node, path, report)
            return None if both is None else Mapping({"soft": both, "hard": both}, node.mark)
        entries: dict[str, Node] = {}
        for name, value in node.entries.items():
            if name not in ("soft", "hard"):
                report.error(f"{say(path)}: there is no attribute `{name}`", node.key(name))
            elif report.raw and is_unfilled(value):
                entries[name] = value
            elif (read := Whole(-1).read(value, (*path, name), report)) is not None:
                entries[name] = read
        if entries and len(entries) < 2 and not {"soft", "hard"} <= node.keys.keys():
            report.error(f"{say(path)} needs both `soft` and `hard`", node.mark)
        return replace(node, entries=entries) if len(entries) == 2 else None

    def show(self, node: Node) -> Any:
        limits = plain(node)
        if not isinstance(node, Mapping):
            return limits
        both = node.entries
        # One number for both stands at one place.
        return limits["soft"] if limits["soft"] and both["soft"].mark == both["hard"].mark else limits

    def schema(self) -> Schema:
        number = Whole(-1).schema()
        soft = {
            "title": "soft limit",
            "description": "What holds; the process may raise it up to the hard one.",
        } | number
        hard = {"title": "hard limit", "description": "What the process cannot raise."} | number
        pair = {"type": "object", "properties": {"soft": soft, "hard": hard}, "required": ["soft", "hard"]}
        return {"oneOf": [number, pair]}


def parse_restart(text: str) -> str:
    """A restart policy.

    Raises:
        FormError: not one.
    """
    policies = ("no", "always", "on-failure", "unless-stopped")
    policy, colon, count = text.partition(":")
    if policy not in policies:
        label = "expected `no`, `always`, `on-failure[:N]` or `unless-stopped`"
        raise FormError(f"`{text}` is not a restart policy", label=label, hint=did_you_mean(policy, policies))
    if colon and (policy != "on-failure" or not count.isdecimal()):
        raise FormError(f"`{text}` is not a restart policy", part=count, label="only `on-failure:N` takes a number")
    return text


def parse_pull_policy(text: str) -> str:
    """When to pull.

    Raises:
        FormError: not a policy.
    """
    policies = ("always", "never", "missing", "if_not_present", "build", "daily", "weekly")
    if text.startswith("every_"):
        parse_duration(text.removeprefix("every_"))
    elif text not in policies:
        label = "expected `always`, `never`, `missing`, `build`, `daily`, `weekly` or `every_<duration>`"
        raise FormError(f"`{text}` is not a pull policy", label=label, hint=did_you_mean(text, policies))
    return "missing" if text == "if_not_present" else text


def parse_signal(text: str) -> str:
    """The signal as written; names may lack their `SIG`.

    Raises:
        FormError: there is no such signal.
    """
    names = {name.removeprefix("SIG") for name in signal.Signals.__members__}
    word = text.upper().removeprefix("SIG")
    real_time = re.fullmatch(r"RTM(?:IN\+|AX-)[0-9]{1,2}", word)
    number = word.isdecimal() and 0 < int(word) <= 64
    if not (word in names or real_time or number):
        close = did_you_mean(f"SIG{word}", [f"SIG{name}" for name in names])
        raise FormError(f"there is no signal `{text}`", hint=close)
    return text


def parse_network_mode(text: str) -> str:
    """A network mode.

    Raises:
        FormError: not one.
    """
    kind, colon, name = text.partition(":")
    if text in ("none", "host", "bridge") or (kind in ("service", "container") and name):
        return text
    label = "expected `none`, `host`, `service:NAME` or `container:NAME`"
    close = did_you_mean(kind, ("none", "host", "bridge", "service", "container")) if not colon else ""
    raise FormError(f"`{text}` is not a network mode", label=label, hint=close or "name networks under `networks:`")


def parse_container_name(text: str) -> str:
    """A container name.

    Raises:
        FormError: it has characters that a name cannot have.
    """
    if not re.fullmatch(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*", text):
        label = "letters, digits, `_`, `.` and `-`, the first a letter or digit"
        raise FormError(f"`{text}` cannot be a container's name", label=label)
    return text


def parse_address(text: str) -> str:
    """An IP address in its usual spelling.

    Raises:
        FormError: not an address.
    """
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise FormError(f"`{text}` is not an IP address", label="expected something like `10.5.0.5`") from None


def parse_subnet(text: str) -> str:
    """A network in CIDR notation.

    Raises:
        FormError: not a network.
    """
    try:
        return str(ipaddress.ip_network(text, strict=False))
    except ValueError:
        raise FormError(f"`{text}` is not a subnet", label="expected something like `10.5.0.0/24`") from None


def complain_of_name(name: str) -> str:
    """What is wrong with the name of a service, network or volume; empty if nothing is."""
    if re.fullmatch(r"[a-zA-Z0-9._-]+", name):
        return ""
    return "cannot be a name: only letters, digits, `.`, `_` and `-` can be in one"


def parse_mode(text: str) -> int:
    """File permissions: a number, in octal as everybody writes them; YAML has read `0440` as one already.

    Raises:
        FormError: not permissions.
    """
    try:
        mode = int(text, 8 if text.startswith("0") else 10)
    except ValueError:
        mode = -1
    if not 0 <= mode <= 0o7777:
        raise FormError(f"`{text}` is not a file's permissions", label="expected something like `0440`")
    return mode


def parse_microseconds(text: str) -> int:
    """Microseconds: a bare number, or a duration.

    Raises:
        FormError: neither.
    """
    return int(text) if text.lstrip("-").isdecimal() else round(parse_duration(text) * 1_000_000)


def parse_count(text: str) -> int:
    """How many; `all` is -1.

    Raises:
        FormError: neither a number nor `all`.
    """
    if text == "all":
        return -1
    if not text.lstrip("-").isdecimal():
        raise FormError(f"`{text}` is not a number", label="expected a number or `all`")
    return int(text)
