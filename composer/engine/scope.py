"""Which services a request is about, and in which order they start.

Dependencies are those of `depends_on` and the one that `network_mode: service:NAME` implies. Start order is file order, but
for a dependency that stands below what needs it; so it is stable, and a project reads the same on every run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches

from composer.errors import UsageError
from composer.project.model import Dependency, Project, Service


def services_in_scope(project: Project, named: Sequence[str], *, deps: bool = True) -> tuple[Service, ...]:
    """The named services (all enabled ones where none is named) and, with `deps`, what they need, in start order.

    A named service is in scope even where its profile is not active, and so is what it requires.

    Raises:
        UsageError: a name that the file does not have.
    """
    check_known(project, named)
    everything = {**project.services, **project.disabled}
    chosen: set[str] = set()

    def choose(name: str) -> None:
        if name in everything and name not in chosen:
            chosen.add(name)
            for dependency, terms in dependencies(everything[name]).items():
                if deps and (terms.required or dependency in project.services):
                    choose(dependency)

    for name in named or project.services:
        choose(name)
    return _in_start_order({name: service for name, service in everything.items() if name in chosen})


def dependencies(service: Service) -> dict[str, Dependency]:
    """What `service` needs, by service name."""
    needed = dict(service.depends_on)
    if service.network_mode and service.network_mode.startswith("service:"):
        needed.setdefault(service.network_mode.removeprefix("service:"), Dependency())
    return needed


def check_known(project: Project, names: Iterable[str]) -> None:
    """Raise UsageError for the first name that is no service of the project, enabled or not."""
    known = {**project.services, **project.disabled}
    for name in names:
        if name not in known:
            close = get_close_matches(name, known, n=1)
            listing = ", ".join(f"`{service}`" for service in known)
            hint = f"did you mean `{close[0]}`?" if close else f"the project has {listing}" if known else ""
            raise UsageError(f"no such service: `{name}`", hint=hint)


def _in_start_order(services: Mapping[str, Service]) -> tuple[Service, ...]:
    ordered: dict[str, Service] = {}

    def visit(name: str, trail: tuple[str, ...]) -> None:
        # A cycle is refused when the file is loaded; here it must only not hang.
        if name not in ordered and name not in trail:
            for dependency in dependencies(services[name]):
                if dependency in services:
                    visit(dependency, (*trail, name))
            ordered[name] = services[name]

    for name in services:
        visit(name, ())
    return tuple(ordered.values())
