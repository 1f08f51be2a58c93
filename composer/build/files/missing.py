"""Why a source is not there: said as helpfully as the tree allows."""

from __future__ import annotations

import contextlib
import difflib
import os
import posixpath

from composer.build.files.failures import FilesError, Reason, shown
from composer.build.files.listing import ContextLister
from composer.build.files.tree import Resolved, Tree

_MOST_NAMES = 5000


def missing(tree: Tree, source: str, resolved: Resolved) -> FilesError:
    """The error for `source`, which resolves to a path where nothing is."""
    if error := _ignored(tree, source, resolved):
        return error
    if resolved.link:
        target = shown(_target(tree, resolved.link))
        return FilesError(
            Reason.OUTSIDE if _leads_out(resolved.link, target) else Reason.MISSING,
            f"`{shown(source)}`: the link `{shown(resolved.link)}` leads to `{target}`, which is not in {tree.name}",
            path=source,
            hint=f"links are followed inside {tree.name} only",
        )
    if _climbs(source):
        return FilesError(
            Reason.OUTSIDE,
            f"`{shown(source)}`: lies outside the build context",
            path=source,
            hint="only files below the context's directory can be copied: set `context` to a directory above both, "
            "or name the other one in `additional_contexts`",
        )
    near = _near(tree, resolved.path)
    hint = f"did you mean {' or '.join(f'`{shown(name)}`' for name in near)}?" if near else ""
    return FilesError(Reason.MISSING, f"`{shown(source)}`: no such file in {tree.name}", path=source, hint=hint)


def _ignored(tree: Tree, source: str, resolved: Resolved) -> FilesError | None:
    if not isinstance(tree.lister, ContextLister):
        return None
    rule = tree.lister.patterns.rule(resolved.path) if resolved.path else None
    # The rule decides only what is really there.
    if rule is None or not os.path.lexists(tree.layers[0] / resolved.path):
        return None
    place = f"{tree.lister.ignore_file}:{rule.line}" if rule.line else tree.lister.ignore_file
    return FilesError(
        Reason.IGNORED,
        f"`{shown(source)}`: left out of the context by `{shown(rule.text)}` in {place}",
        path=source,
        ignored_by=place,
        hint=f"add `!{shown(resolved.path)}` behind that line to let it in",
    )


def _target(tree: Tree, link: str) -> str:
    entry = tree.resolve(link, follow_last=False).entry
    return entry.link if entry else link


def _leads_out(link: str, target: str) -> bool:
    return target.startswith("/") or _climbs(posixpath.join(posixpath.dirname(link), target))


def _climbs(source: str) -> bool:
    """Whether a path has more `..` than directories before them."""
    return posixpath.normpath(source.lstrip("/") or ".").startswith("..")


def _near(tree: Tree, path: str) -> list[str]:
    """Names that `path` may have meant: in its directory, or of its name elsewhere nearby."""
    parts = path.split("/")
    place, entry = "", tree.root
    for index, part in enumerate(parts):
        children = tree.children(entry, place)
        child = children.get(part)
        if child is not None and child.is_directory:
            place, entry = f"{place}/{part}" if place else part, child
            continue
        names = list(children)[:_MOST_NAMES]
        folded = {name.casefold(): name for name in names}
        close = difflib.get_close_matches(part.casefold(), folded, n=2, cutoff=0.7)
        rest = parts[index + 1 :]
        return ["/".join(filter(None, (place, folded[name], *rest))) for name in close] or _elsewhere(tree, parts[-1])
    return []


def _elsewhere(tree: Tree, name: str) -> list[str]:
    """Where the name is in a directory of the root."""
    found = []
    for directory, entry in sorted((tree.root.children or {}).items()):
        with contextlib.suppress(FilesError):
            if entry.is_directory and name in tree.children(entry, directory):
                found.append(f"{directory}/{name}")
    return found[:2]
