"""Several files made one: later ones add to and replace what earlier ones say.

After <https://github.com/compose-spec/compose-spec/blob/main/13-merge.md>, on canonical trees, where lists of
`NAME=VALUE` are mappings already: scalars replace, mappings merge, lists append, and `MERGE_RULES` names what is
different. `!reset` takes away what stood before, `!override` replaces it whole.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Hashable
from dataclasses import replace
from operator import is_

from composer.project.document import Mapping, Node, Path, Scalar, Sequence, is_null

Rule = Callable[[Node, Node, Path], Node]


def merge(base: Node, over: Node, path: Path = ()) -> Node:
    """`base` with `over` on top; neither is changed."""
    if over.tag == "!override":
        return replace(over, tag="")
    rule = rule_of(path)
    if rule:
        return rule(base, over, path)
    match base, over:
        case Mapping(), Mapping():
            return merge_mappings(base, over, path)
        case Sequence(), Sequence():
            return replace(base, items=base.items + over.items)
        case ((Mapping() | Sequence()), Scalar(value=None)):
            return base
        case _:
            return settle(over, path)


def merge_mappings(base: Mapping, over: Mapping, path: Path) -> Mapping:
    """Key by key; what is new comes last, what is reset goes."""
    entries = dict(base.entries)
    keys = {**base.keys, **over.keys}
    for key, value in over.entries.items():
        if value.tag == "!reset":
            entries.pop(key, None)
            keys.pop(key, None)
        elif key in entries and not key.startswith("x-"):
            entries[key] = merge(entries[key], value, (*path, key))
        else:
            entries[key] = settle(value, (*path, key))
    return replace(base, entries=entries, keys=keys)


def settle(node: Node, path: Path = ()) -> Node:
    """The tree as it is when nothing was before it: no tags left, and no entry twice in lists that hold it once."""
    match node:
        case Mapping():
            kept = {key: value for key, value in node.entries.items() if value.tag != "!reset"}
            entries = {key: settle(value, (*path, key)) for key, value in kept.items()}
            return node if not node.tag and _same(entries, node.entries) else replace(node, entries=entries, tag="")
        case Sequence():
            items = tuple(settle(item, (*path, i)) for i, item in enumerate(node.items))
            is_same = not node.tag and all(map(is_, items, node.items))
            settled = node if is_same else replace(node, items=items, tag="")
            unique = UNIQUE.get(pattern(path))
            return once(settled, unique) if unique else settled
        case Scalar():
            return replace(node, tag="") if node.tag else node


def _same(entries: dict[str, Node], before: dict[str, Node]) -> bool:
    """Whether nothing was changed: a node for each would be a quarter of the time that loading takes."""
    return len(entries) == len(before) and all(map(is_, entries.values(), before.values()))


Pattern = tuple[str, ...]


def pattern(path: Path) -> Pattern:
    """The path with the names that users choose as `*`."""
    chosen = (1, 3) if path[2:3] == ("networks",) else (1,)
    return tuple("*" if index in chosen else str(step) for index, step in enumerate(path))


def rule_of(path: Path) -> Rule | None:
    """The rule for what stands at `path`, if it is not the general one."""
    shape = pattern(path)
    return MERGE_RULES.get(shape) or (_merge_unique if shape in UNIQUE else None)


def _replace(base: Node, over: Node, path: Path) -> Node:
    return settle(over, path)


def _merge_unique(base: Node, over: Node, path: Path) -> Node:
    if is_null(over):
        return base
    if not isinstance(base, Sequence) or not isinstance(over, Sequence):
        return settle(over, path)
    return once(replace(base, items=base.items + over.items), UNIQUE[pattern(path)])


def once(node: Sequence, identity: Callable[[Node], Hashable]) -> Sequence:
    """The list with one entry for each identity: the last, in the place of the first."""
    items: dict[Hashable, Node] = {}
    for item in node.items:
        items[identity(item)] = item
    return replace(node, items=tuple(items.values()))


def _merge_logging(base: Node, over: Node, path: Path) -> Node:
    """Options belong to their driver: with another one, none of the old are left."""
    if not isinstance(base, Mapping) or not isinstance(over, Mapping):
        return base if is_null(over) else settle(over, path)
    drivers = [node.value for node in (base.get("driver"), over.get("driver")) if isinstance(node, Scalar)]
    is_other = len(drivers) == 2 and drivers[0] != drivers[1]
    return settle(over, path) if is_other else merge_mappings(base, over, path)


def _merge_pools(base: Node, over: Node, path: Path) -> Node:
    """The pools of the later file; what an earlier one says of the same subnet still holds."""
    if not isinstance(base, Sequence) or not isinstance(over, Sequence):
        return base if is_null(over) else settle(over, path)
    subnet = _fields("subnet")
    before = {subnet(item): item for item in base.items}
    items = [merge(before[subnet(item)], item, (*path, 0)) if subnet(item) in before else item for item in over.items]
    return settle(replace(over, items=tuple(items)), path)


def _target(node: Node) -> Hashable:
    """Where a mount appears, however its path is spelled."""
    target = node.get("target") if isinstance(node, Mapping) else None
    return posixpath.normpath(str(target.value)) if isinstance(target, Scalar) else id(node)


def _value(node: Node) -> Hashable:
    return node.value if isinstance(node, Scalar) else id(node)


def _fields(*names: str) -> Callable[[Node], Hashable]:
    def identity(node: Node) -> Hashable:
        if not isinstance(node, Mapping):
            return _value(node)
        values = [node.get(name) for name in names]
        return tuple(value.value if isinstance(value, Scalar) else None for value in values)

    return identity


def _published(node: Node) -> Hashable:
    """What a port takes: without an address it takes them all."""
    said = _fields("host_ip", "target", "published", "protocol")(node)
    return ("0.0.0.0", *said[1:]) if isinstance(said, tuple) and said[0] is None else said


def _granted(directory: str) -> Callable[[Node], Hashable]:
    """The target of a grant of a secret or config, as it is written."""

    def identity(node: Node) -> Hashable:
        target, source = (
            (node.get(name) for name in ("target", "source")) if isinstance(node, Mapping) else (None, None)
        )
        if isinstance(target, Scalar):
            return target.value
        return f"{directory}{source.value}" if isinstance(source, Scalar) else id(node)

    return identity


MERGE_RULES: dict[Pattern, Rule] = {
    ("services", "*", "command"): _replace,
    ("services", "*", "entrypoint"): _replace,
    ("services", "*", "healthcheck", "test"): _replace,
    ("services", "*", "build", "context"): _replace,
    ("services", "*", "logging"): _merge_logging,
    ("networks", "*", "ipam", "config"): _merge_pools,
}

UNIQUE: dict[Pattern, Callable[[Node], Hashable]] = {
    ("services", "*", "ports"): _published,
    ("services", "*", "volumes"): _target,
    ("services", "*", "env_file"): _fields("path"),
    ("services", "*", "devices"): _fields("target"),
    ("services", "*", "secrets"): _granted("/run/secrets/"),
    ("services", "*", "configs"): _granted("/"),
    ("services", "*", "networks", "*", "link_local_ips"): _value,
    ("services", "*", "build", "tags"): _value,
    ("services", "*", "networks", "*", "aliases"): _value,
    **{
        ("services", "*", name): _value
        for name in (
            "cap_add", "cap_drop", "dns", "dns_opt", "dns_search", "expose", "extra_hosts", "group_add",
            "links", "profiles", "security_opt", "tmpfs", "volumes_from",
        )
    },
}  # fmt: skip
"""Lists that hold an entry once, and what makes two entries the same."""
