"""Files become one canonical tree.

    text -parse→ documents -interpolate→ -validate→ canonical -rebase→ absolute -extend, include→ -merge→ tree

Validation stands before merging, so that every problem is reported where it was written and merging meets one form of
each attribute. What needs the whole project is checked afterwards, in `check`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from collections.abc import Mapping as Dict
from dataclasses import dataclass, field, replace
from pathlib import Path

from composer.errors import Diagnostic, ProjectError, Severity
from composer.project.attributes import COMPOSE
from composer.project.discover import read_text, show
from composer.project.document import Mapping, Mark, Node, Scalar, Sequence
from composer.project.extends import Extender
from composer.project.include import Included, adopt
from composer.project.interpolate import Interpolator
from composer.project.merge import merge, settle
from composer.project.options import LoadOptions
from composer.project.rebase import Rebaser
from composer.project.report import Report
from composer.project.source import parse
from composer.project.trace import Trace

MAX_FILES = 500
"""Of one project; more are not written by people."""
MAX_LEVELS = 50

Source = tuple[Path | None, tuple[Node, ...]]
"""A file (`None`: standard input) and its documents."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What holds for the files of one project, the main one or an included one."""

    root: Path
    """The directory of the project as a whole."""
    directory: Path
    """What relative paths are relative to."""
    variables: Dict[str, str]
    interpolator: Interpolator
    trail: tuple[Path, ...] = ()
    """The files that include this one."""
    given: Dict[str, str] = field(default_factory=dict)
    """The file of variables that `include` brought in, by the name of what it gave."""


class Layers:
    """Reads files and keeps count of them; one for each load."""

    def __init__(self, options: LoadOptions, report: Report) -> None:
        self._options = options
        self._report = report
        self._count = 0
        self.trace = Trace()

    def read(self, path: Path | None, mark: Mark | None = None) -> Source:
        """A file and its documents; none, and a report, if it cannot be read. `mark` is where another file names it.

        Raises:
            ProjectError: there are too many files: they include each other without end.
        """
        self._count += 1
        if self._count > MAX_FILES:
            self._report.error(f"the project is made of more than {MAX_FILES} files", mark)
            self._report.raise_errors()
        try:
            if path is None:
                return path, parse(self._stdin(), "(stdin)", self._count)
            text = read_text(path, "the project", named_by_user=mark is None)
            return path, parse(text, self._show(path), self._count)
        except ProjectError as error:
            if mark is None or error.location is not None:
                self._report.take(error.diagnostics, self._count)
            else:
                self._report.error(error.message, mark, hint=error.hint)
            return path, ()

    def _stdin(self) -> str:
        try:
            return self._options.read_stdin().decode("utf-8-sig")
        except UnicodeDecodeError as error:
            message = "cannot read the project from standard input: it is not UTF-8"
            raise ProjectError([Diagnostic(Severity.ERROR, message)]) from error

    def merge(self, sources: Iterable[Source], scope: Scope) -> Mapping | None:
        """The documents as one canonical tree; `None` if there is nothing in them."""
        tree: Node | None = None
        for path, documents in sources:
            if path and scope.given:
                self.trace.given[self._show(path)] = scope.given
            for document in documents:
                layer = self._layer(document, path, scope)
                if layer is not None:
                    self.trace.add((), layer, f"included by {self._show(scope.trail[-1])}" if scope.trail else "")
                    tree = settle(layer) if tree is None else merge(tree, layer)
        return tree if isinstance(tree, Mapping) else None

    def _layer(self, document: Node, path: Path | None, scope: Scope) -> Mapping | None:
        canonical = self._canonical(document, scope)
        if canonical is None:
            return None
        tree = Extender(
            canonical,
            str(path),
            lambda file, mark: self._open(scope.root / file, scope, mark),
            self._report,
            self.trace,
        ).apply()
        includes = tree.get("include")
        tree = replace(tree, entries={key: value for key, value in tree.entries.items() if key != "include"})
        inner = replace(scope, trail=(*scope.trail, path) if path else scope.trail)
        for entry in includes.items if isinstance(includes, Sequence) else ():
            tree = self._include(tree, entry, inner)
        return tree

    def _canonical(self, document: Node, scope: Scope) -> Mapping | None:
        read = COMPOSE.read(scope.interpolator.interpolate(document), (), self._report)
        rebaser = self._rebaser(scope)
        if read is not None and rebaser is not None:
            read = rebaser.tree(read)
        return read if isinstance(read, Mapping) else None

    def _rebaser(self, scope: Scope) -> Rebaser | None:
        """Paths become absolute, or (`--no-path-resolution`) those of files elsewhere relative to the project."""
        directory = scope.directory
        if not self._options.resolve_paths:
            if directory == scope.root:
                return None
            directory = Path(os.path.relpath(directory, scope.root))
        return Rebaser(directory, scope.variables.get("HOME", "/"), raw=not self._options.interpolate)

    def _open(self, path: Path, scope: Scope, mark: Mark) -> Mapping | None:
        """Another file as `extends` needs it: canonical, its paths relative to its own directory."""
        tree: Node | None = None
        for document in self.read(path, mark)[1]:
            layer = self._canonical(document, replace(scope, directory=path.parent))
            if layer is not None:
                tree = layer if tree is None else merge(tree, layer)
        return tree if isinstance(tree, Mapping) else None

    def _include(self, tree: Mapping, entry: Node, scope: Scope) -> Mapping:
        included = Included.of(entry, scope.root)
        if included is None:
            return tree
        again = next((path for path in included.files if path in scope.trail), None)
        if again is not None:
            steps = (*scope.trail[scope.trail.index(again) :], again)
            circle = " → ".join(f"`{self._show(step)}`" for step in steps)
            self._report.error(f"`include` goes round in a circle: {circle}", entry.mark)
            return tree
        if len(scope.trail) > MAX_LEVELS:
            self._report.error(f"`include` goes more than {MAX_LEVELS} files deep", entry.mark)
            return tree
        sources = [self.read(path, entry.mark) for path in included.files]
        named = (isinstance(entry, Mapping) and entry.get("env_file")) or entry

        def warn(warning: Diagnostic) -> None:
            self._report.take([warning], named.mark.text.order)

        try:
            variables, given = included.variables(scope.variables, self._options.directory, warn)
        except ProjectError as error:
            self._report.pass_on(error.diagnostics, named.mark)
            return tree
        within = scope.interpolator.within(variables)
        inner = Scope(scope.root, included.directory, variables, within, scope.trail, {**scope.given, **given})
        theirs = self.merge(sources, inner)
        if theirs is not None and (rebaser := self._rebaser(inner)):
            theirs = rebaser.with_contexts(theirs)
        return tree if theirs is None else adopt(tree, theirs, self._show(included.files[0]), self._report)

    def _show(self, path: Path) -> str:
        return show(path, self._options.directory)


def written_name(sources: Iterable[Source]) -> Scalar | None:
    """The last `name:` of the files, not interpolated yet."""
    documents = [document for _, several in sources for document in several if isinstance(document, Mapping)]
    names = [document.get("name") for document in documents]
    return next((name for name in reversed(names) if isinstance(name, Scalar)), None)
