"""`build.network`: where the RUN steps of a build are.

`default` (a network that leads outside), `host` and `none` are BuildKit's. One of the project's networks, by its key or its
full name, is what the Compose specification says besides, and Docker's classic builder did; `service:NAME` is the network of
a container that runs, as for `network_mode`.
"""

from __future__ import annotations

from composer.engine.resolve import desired_network
from composer.engine.world import DesiredNetwork
from composer.project.model import Build, Network, Project
from composer.project.shapes import did_you_mean

_MODES = {"": "default", "default": "default", "bridge": "default", "host": "host", "none": "none"}
_NETWORK = "network:"
_SERVICE = "service:"


def network_of(build: Build, project: Project) -> str:
    """`default`, `host`, `none`, `network:NAME` or `service:PROJECT/NAME`; "" for what is none of them."""
    written = build.network or ""
    if written in _MODES:
        return _MODES[written]
    if (name := written.removeprefix(_SERVICE)) != written:
        return f"{_SERVICE}{project.name}/{name}" if name in project.services else ""
    network = _written(build, project)
    return f"{_NETWORK}{network.name}" if network else ""


def desired(build: Build, project: Project) -> DesiredNetwork | None:
    """The network of the project that steps are on, as it has to be made if it is not there; None where there is none."""
    network = _written(build, project)
    return desired_network(project, network) if network and not network.external else None


def hint(build: Build, project: Project) -> str:
    """What could be written instead of what is none."""
    known = [*project.networks, "host", "none", *(f"{_SERVICE}{name}" for name in project.services)]
    near = did_you_mean(build.network or "", known)
    return near or "leave it out for a network that leads outside, or name one below `networks:`, `host` or `none`"


def named(network: str) -> str:
    """The name in `network:NAME`, "" for another kind."""
    return network.removeprefix(_NETWORK) if network.startswith(_NETWORK) else ""


def partner(network: str) -> tuple[str, str] | None:
    """Project and service of `service:PROJECT/NAME`, None for another kind."""
    if not network.startswith(_SERVICE):
        return None
    project, _, service = network.removeprefix(_SERVICE).partition("/")
    return project, service


def _written(build: Build, project: Project) -> Network | None:
    written = build.network or ""
    by_name = {network.name: network for network in project.networks.values()}
    return project.networks.get(written) or by_name.get(written)
