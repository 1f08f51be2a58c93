"""`extends`: a service that starts from another's definition, in this file or another.

After <https://github.com/compose-spec/compose-spec/blob/main/05-services.md#extends>: the base, itself extended first,
with the extending service merged over it. Works on one canonical tree, before it is merged with other files.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from composer.project.document import Mapping, Mark, Node, Scalar
from composer.project.merge import merge, settle
from composer.project.report import Report
from composer.project.shapes import did_you_mean
from composer.project.trace import Trace

MAX_STEPS = 100

Trail = tuple[tuple[str, str], ...]
"""The (file, service) pairs on the way."""


class Extender:
    """Works `extends` into the services of one file; `open_file` gives another file's canonical tree."""

    def __init__(
        self, tree: Mapping, file: str, open_file: Callable[[str, Mark], Mapping | None], report: Report, trace: Trace
    ) -> None:
        self._trees: dict[str, Mapping | None] = {file: tree}
        self._tree = tree
        self._file = file
        self._open = open_file
        self._report = report
        self._trace = trace

    def apply(self) -> Mapping:
        """The tree without `extends`; problems go to the report."""
        services = self._tree.get("services")
        if not isinstance(services, Mapping):
            return self._tree
        extended = {name: self._extended(service, self._file, name, ()) for name, service in services.entries.items()}
        return replace(self._tree, entries={**self._tree.entries, "services": replace(services, entries=extended)})

    def _extended(self, service: Node, file: str, name: str, trail: Trail) -> Node:
        extends = service.get("extends") if isinstance(service, Mapping) else None
        if not isinstance(service, Mapping) or not isinstance(extends, Mapping):
            return service
        own = replace(service, entries={key: value for key, value in service.entries.items() if key != "extends"})
        if (file, name) in trail:
            circle = " → ".join(f"`{step}`" for _, step in (*trail[trail.index((file, name)) :], (file, name)))
            self._report.error(f"services.{name}.extends goes round in a circle: {circle}", service.key("extends"))
            return own
        if len(trail) >= MAX_STEPS:
            self._report.error(
                f"services.{name}.extends goes on for more than {MAX_STEPS} steps", service.key("extends")
            )
            return own
        base = self._base(extends, file, name, (*trail, (file, name)))
        if base is None:
            return own
        wanted = extends.get("service")
        if not trail:
            self._trace.add(("services", name), base, f"extends `{wanted.value if isinstance(wanted, Scalar) else ''}`")
        # What is merged stands where the service's own definition does.
        return replace(merge(settle(base, ("services", name)), own, ("services", name)), mark=service.mark)

    def _base(self, extends: Mapping, file: str, name: str, trail: Trail) -> Node | None:
        wanted, other = extends.get("service"), extends.get("file")
        if not isinstance(wanted, Scalar):
            if "service" not in extends.keys:
                self._report.error(f"services.{name}.extends does not name a `service`", extends.mark)
            return None
        target = str(other.value) if isinstance(other, Scalar) else file
        if target not in self._trees:
            self._trees[target] = self._open(target, other.mark if other else extends.mark)
        tree = self._trees[target]
        if tree is None:
            return None
        services = tree.get("services")
        declared = services.entries if isinstance(services, Mapping) else {}
        base = declared.get(str(wanted.value))
        if base is None:
            where = f" in `{other.text}`" if isinstance(other, Scalar) else ""
            message = f"services.{name}.extends: there is no service `{wanted.value}`{where}"
            self._report.error(message, wanted.mark, hint=did_you_mean(str(wanted.value), declared))
            return None
        return self._extended(base, target, str(wanted.value), trail)
