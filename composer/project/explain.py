"""Where a value of the project comes from: which file said it last, which variables made it, and what lost against it."""

from __future__ import annotations

import re
from collections.abc import Mapping as Dict
from dataclasses import dataclass
from pathlib import Path as File
from typing import TYPE_CHECKING, Any

from composer.errors import Location, UsageError
from composer.project.canonical import canonical
from composer.project.document import Mapping, Node, Path, Scalar, plain, walk
from composer.project.interpolate import substitute
from composer.project.merged import items_of, text_of
from composer.project.shapes import did_you_mean
from composer.project.trace import at
from composer.project.variables import named_in

if TYPE_CHECKING:
    from composer.project.loader import Loaded

_STEP = re.compile(r"\[(\d+)\]")


@dataclass(frozen=True, slots=True)
class Use:
    """A variable in the value."""

    name: str
    source: str
    """`the environment`, a file, `its default`, or `nothing: it is not set`."""
    over: str = ""
    """The file that sets it too, in vain."""


@dataclass(frozen=True, slots=True)
class Said:
    """One place that says something of the value."""

    location: Location
    value: Any
    how: str = ""
    """How that file came in, "" for one that the command names."""
    template: str = ""
    """What was written, where variables were filled in."""
    uses: tuple[Use, ...] = ()


@dataclass(frozen=True, slots=True)
class Explanation:
    """The answer: `said` in the order in which it counts, the winner first; empty for what follows by itself."""

    path: Path
    value: Any
    said: tuple[Said, ...]
    note: str = ""


def explain(loaded: Loaded, text: str) -> Explanation:
    """Where the value at the dotted path `text` comes from.

    Raises:
        UsageError: there is nothing at this path.
    """
    data = canonical(loaded.tree, _everything(loaded))
    path, value = _find(data, text)
    said = [
        _said(loaded, node, mark.location, how)
        for node, mark, how in loaded.trace.said_at(path, loaded.tree)
        if mark is not None
    ]
    if len(path) == 4 and path[0] == "services" and path[2] == "environment":
        said = [*_from_env_files(loaded, str(path[1]), str(path[3])), *said]
    note = "" if said else "no file says this: it follows from the rest, or is the default"
    return Explanation(path, value, tuple(reversed(said)), note)


def _everything(loaded: Loaded) -> Any:
    project = loaded.project
    return project.model_copy(update={"services": {**project.services, **project.disabled}})


def _find(data: Any, text: str) -> tuple[Path, Any]:
    """The steps that `text` means and what is there; a name may hold dots itself."""
    path: list[str | int] = []
    rest = text.strip(".")
    while rest:
        if isinstance(data, dict):
            names = [name for name in data if rest == name or rest.startswith((f"{name}.", f"{name}["))]
            if not names:
                word = re.split(r"[.\[]", rest)[0]
                where = f"`{'.'.join(map(str, path))}`" if path else "the project"
                hint = _below(data, word) if not path else ""
                hint = hint or did_you_mean(word, data) or f"there is {', '.join(f'`{name}`' for name in data)}"
                raise UsageError(f"there is no `{word}` in {where}", hint=hint)
            name = max(names, key=len)
            path.append(name)
            data, rest = data[name], rest[len(name) :].removeprefix(".")
            continue
        found = _STEP.match(rest)
        number = int(found[1]) if found else int(rest.split(".")[0]) if rest.split(".")[0].isdigit() else -1
        if not isinstance(data, list) or not 0 <= number < len(data):
            raise UsageError(f"there is nothing at `{text}`", hint=f"`{'.'.join(map(str, path))}` is {data!r}")
        path.append(number)
        data = data[number]
        rest = (rest[found.end() :] if found else rest[len(str(number)) :]).removeprefix(".")
    return tuple(path), data


def _below(data: Any, word: str) -> str:
    """The hint for a name alone that is that of a service, network or the like."""
    return next(
        (f"did you mean `{key}.{word}`?" for key, it in data.items() if isinstance(it, dict) and word in it), ""
    )


def _said(loaded: Loaded, node: Node, location: Location, how: str) -> Said:
    templates = [loaded.trace.templates[mark] for mark in _marks(node) if mark in loaded.trace.templates]
    uses = [use for template in templates for use in _uses(loaded, template, location.file)]
    template = templates[0] if isinstance(node, Scalar) and templates else ""
    return Said(location, plain(node), how, template, tuple(dict.fromkeys(uses)))


def _marks(node: Node) -> list[Any]:
    return [node.mark, *(mark for _, mark in walk(node))]


def _uses(loaded: Loaded, template: str, file: str) -> list[Use]:
    """The variables of a template in `file` that were asked for, with what gave them a value."""
    asked: dict[str, None] = {}
    used = loaded.project.environment_used

    def lookup(name: str) -> str | None:
        asked[name] = None
        return used.get(name)

    try:
        substitute(template, lookup)
    except ValueError:
        return []
    defaults = {variable.name for variable in named_in(template) if variable.default or variable.alternate}
    found = []
    for name in asked:
        if name in used:
            source = loaded.variable_files.get(name) or loaded.trace.given.get(file, {}).get(name, "the environment")
        else:
            source = "its default" if name in defaults else "nothing: it is not set"
        found.append(Use(name, source, loaded.overruled.get(name, "")))
    return found


def _from_env_files(loaded: Loaded, service: str, name: str) -> list[Said]:
    """The lines of the service's env files that set the variable, the last file last."""
    found: list[Said] = []
    node = at(loaded.tree, ("services", service))
    for entry in items_of(node[0], "env_file") if node and isinstance(node[0], Mapping) else ():
        path = text_of(entry, "path") if isinstance(entry, Mapping) else None
        try:
            lines = File(path).read_text(errors="replace").splitlines() if path else []
        except OSError:
            continue
        for number, line in enumerate(lines, start=1):
            written = re.match(rf"\s*(?:export\s+)?({re.escape(name)})\s*[=:]?(.*)", line)
            if written:
                location = Location(str(path), number, written.start(1) + 1, len(name), line)
                found.append(Said(location, written[2].strip(), "env_file"))
    return found


def to_json(explanation: Explanation) -> Dict[str, Any]:
    """The explanation as JSON-able data."""
    return {
        "path": list(explanation.path),
        "value": explanation.value,
        "note": explanation.note,
        "said": [
            {
                "file": said.location.file,
                "line": said.location.line,
                "column": said.location.column,
                "value": said.value,
                "how": said.how,
                "template": said.template,
                "variables": {use.name: use.source for use in said.uses},
            }
            for said in explanation.said
        ],
    }
