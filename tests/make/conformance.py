"""docs/conformance.md: every attribute of the table, how far it is supported, and which file of the corpus shows it.

python -m tests.make.conformance
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from composer.project.attributes import COMPOSE
from composer.project.attributes_deploy import DEVICE_REQUESTS
from composer.project.attributes_devices import LONG_DEVICE, Device, Gpus
from composer.project.document import Mapping, Node, Scalar, Sequence
from composer.project.forms import Either, UlimitForm
from composer.project.mounts import LONG_MOUNT, MountEntry
from composer.project.ports import LONG_PORT, Ports
from composer.project.records import Attribute, ListOf, MapOf, Record, Status
from composer.project.report import Report
from composer.project.shapes import Shape, Whole
from composer.project.source import parse

ROOT = Path(__file__).parents[2]
CORPUS = ROOT / "tests/spec/compose"
PAGE = ROOT / "docs/conformance.md"


def rows(shape: Shape, path: str = "", heard: bool = True) -> Iterator[tuple[str, Attribute]]:
    """Every row of the table, by path: `services.*.ports[].target`; not `heard` if something around it has no effect."""
    match shape:
        case Record(attributes):
            for name, attribute in attributes.items():
                here = f"{path}.{name}".lstrip(".")
                yield here, attribute if heard else replace(attribute, status=Status.PARSED)
                yield from rows(attribute.shape, here, heard and attribute.status is Status.HONOURED)
        case ListOf(item):
            yield from rows(item, f"{path}[]", heard)
        case MapOf(value):
            yield from rows(value, f"{path}.*", heard)
        case Ports():
            yield from rows(LONG_PORT, f"{path}[]", heard)
        case MountEntry():
            yield from rows(LONG_MOUNT, path, heard)
        case Device():
            yield from rows(LONG_DEVICE, path, heard)
        case Gpus():
            yield from rows(DEVICE_REQUESTS, path, heard)
        case UlimitForm():
            for limit in ("soft", "hard"):
                yield f"{path}.{limit}", Attribute(Whole(-1), f"The {limit} limit; -1 is none.")
        case Either(_, mapping):
            yield from rows(mapping, path, heard)
        case _:
            pass


def shown(known: set[str]) -> dict[str, str]:
    """The first file of the corpus that has an attribute, by path."""
    found: dict[str, str] = {}
    for file in (*sorted(CORPUS.glob("*.yaml")), *sorted((CORPUS / "newer").glob("*.yaml"))):
        for document in parse(file.read_text(), file.name):
            tree = COMPOSE.read(document, (), Report(raw=True))
            for path in _below(tree, "") if tree is not None else ():
                if path in known:
                    found.setdefault(path, str(file.relative_to(CORPUS)))
    return found


def _below(node: Node, path: str) -> Iterator[str]:
    match node:
        case Mapping():
            for key, value in node.entries.items():
                for step in (key, "*"):
                    here = f"{path}.{step}".lstrip(".")
                    yield here
                    yield from _below(value, here)
        case Sequence():
            for item in node.items:
                yield from _below(item, f"{path}[]")
        case Scalar():
            pass


def run_by(paths: Iterable[str], kept: dict[str, str]) -> dict[str, str]:
    """A test against the real kernel whose text has the attribute's name as a key, by path; that of `kept` as long as it has.

    So a new test changes nothing on the page, and one that goes does.
    """
    texts = {
        f"{path.parent.name}/{path.name}": path.read_text()
        for folder in ("e2e", "kernel")
        for path in sorted((ROOT / "tests" / folder).glob("test_*.py"))
    }
    found: dict[str, str] = {}
    for path in paths:
        word = path.rpartition(".")[2].rstrip("[]*")
        key = re.compile(rf"(?<![\w.]){re.escape(word)}['\"]?:")
        before = kept.get(path)
        if before is not None and (not before or key.search(texts.get(before, ""))):
            name = before
        else:
            name = next((name for name, text in texts.items() if key.search(text)), "")
        if name:
            found[path] = name
    return found


def _kept() -> dict[str, str]:
    """What the page says of the tests."""
    cells = [line.split(" | ") for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    return {row[0].strip("| `"): row[3].strip() for row in cells if len(row) > 3}


def page(*, anew: bool = False) -> Iterator[str]:
    """The page, line by line; `anew` looks for the tests that run each attribute without regard to what it says of them."""
    table = dict(rows(COMPOSE))
    honoured_paths = (path for path, row in table.items() if row.status is Status.HONOURED)
    runs = run_by(honoured_paths, {} if anew else _kept())
    where = shown(set(table))
    honoured = sum(row.status is Status.HONOURED for row in table.values())
    yield "# Which attributes of a Compose file do what"
    yield ""
    yield f"All {len(table)} are read, checked, merged and printed; {honoured} are honoured. What is not gives a warning with"
    yield "its place at `up`. Shown by: the file below `tests/spec/compose` that has it (`newer/`: newer than the Docker Compose"
    yield "2.26 that the others are compared with). Run by: a test that has it in a project it brings up. Generated by"
    yield "`python -m tests.make.conformance`."
    yield ""
    yield "| attribute | honoured | shown by | run by | |"
    yield "|---|---|---|---|---|"
    for path, row in table.items():
        honours = "yes" if row.status is Status.HONOURED else "no"
        yield f"| `{path}` | {honours} | {where.get(path, '')} | {runs.get(path, '')} | {row.doc} |"


if __name__ == "__main__":
    PAGE.write_text("\n".join(list(page(anew=True))) + "\n")
