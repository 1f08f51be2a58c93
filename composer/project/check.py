"""What must be true of the project as a whole: references that exist, circles that do not, wishes that do not clash.

Each check is a function from the merged tree to the report. A part that could not be read counts as said, so that one
mistake is not told twice.
"""

from __future__ import annotations

from collections.abc import Callable

from composer.project import build_checks, clashes, kernel_checks, references
from composer.project.document import Mapping
from composer.project.report import Report

CHECKS: tuple[Callable[[Mapping, Report], None], ...] = (
    clashes.has_services,
    clashes.images,
    references.known_services,
    references.dependency_circles,
    references.known_networks,
    references.known_volumes,
    references.known_files,
    references.known_contexts,
    build_checks.context_circles,
    clashes.places,
    clashes.replicas,
    clashes.container_names,
    clashes.host_names,
    clashes.network_modes,
    clashes.namespaces,
    clashes.protocols,
    clashes.devices,
    clashes.limits,
    clashes.watches,
    clashes.log_drivers,
    clashes.healthchecks,
    clashes.addresses,
    clashes.networks,
    clashes.volumes,
    clashes.external,
    kernel_checks.limits,
    kernel_checks.name_servers,
    kernel_checks.security_options,
)


def check(tree: Mapping, report: Report) -> None:
    """Report everything that is inconsistent in the merged tree."""
    for one in CHECKS:
        one(tree, report)
