"""A plan: the operations that lead from what is to what should be, as data.

Every operation is one driver call. Every node carries its cause, in words a user understands, and the ids of the nodes
that must be done first. `str(plan)` is stable: `compose up --dry-run` and the tests print the same text.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from composer.engine.world import Condition, DesiredContainer, DesiredNetwork, DesiredVolume
from composer.project.model import Build


@dataclass(frozen=True, slots=True)
class PullImage:
    """Have what a reference means at its registry in the image store; what is there already is success."""

    reference: str
    """As people write it: `redis:7`."""
    platform: str = ""
    """Empty is what suits this machine."""
    required: bool = True
    """One that can be built instead, or need not be had, only warns when it fails."""
    digest: str = ""
    """What the reference is locked to: this is pulled, whatever the registry means by the name now."""
    otherwise: str = ""
    """What to try where it cannot be had and is not required."""


@dataclass(frozen=True, slots=True)
class BuildImage:
    """Have the image that a `build` section describes, under all its names; steps whose outcome is known are not run."""

    service: str
    """Whose `build` it is: the first one's, where several services share it."""
    references: tuple[str, ...]
    """What the image is called here: the first name is that of `service`."""
    build: Build
    platform: str = ""
    """Empty is this machine's."""
    if_missing: bool = False
    """Whether images that are there by now, since they could be pulled after all, are success."""
    every_platform: bool = False
    """Whether it is made for all platforms that `build` names, instead of the one that suits this machine."""


@dataclass(frozen=True, slots=True)
class PushImage:
    """Have an image of the store at its registry; what is there already is success."""

    reference: str
    required: bool = True
    """One that need not get there only warns when it fails."""


@dataclass(frozen=True, slots=True)
class CreateNetwork:
    """Make a network's namespace; an existing live one is success."""

    network: DesiredNetwork


@dataclass(frozen=True, slots=True)
class RemoveNetwork:
    """Remove a network; one that is gone is success."""

    name: str


@dataclass(frozen=True, slots=True)
class CreateVolume:
    """Make a named volume; an existing one is success."""

    volume: DesiredVolume


@dataclass(frozen=True, slots=True)
class RemoveVolume:
    """Delete a volume and its data; one that is gone is success."""

    name: str


@dataclass(frozen=True, slots=True)
class RemoveImage:
    """Take a name from its image, and delete the image with its last; one that is gone is success."""

    reference: str


@dataclass(frozen=True, slots=True)
class CreateContainer:
    """Record a container and prepare its file system; it replaces (and inherits anonymous volumes from) `replaces`."""

    container: DesiredContainer
    replaces: str = ""
    """Id of the container that this one takes over from, "" for a new one."""


@dataclass(frozen=True, slots=True)
class StartContainer:
    """Start a created or exited container by name; a running one is success."""

    name: str
    service: str


@dataclass(frozen=True, slots=True)
class StopContainer:
    """Stop signal, grace, kill; a container that does not run is success."""

    id: str
    name: str
    service: str
    timeout: float | None = None
    """Seconds of grace; None is the container's own."""
    restart: bool = False
    """Whether it is the first half of a restart: unless somebody stops it meanwhile, the container is started again."""


@dataclass(frozen=True, slots=True)
class RemoveContainer:
    """Remove a stopped container with its writable layer; `volumes` takes its anonymous volumes too."""

    id: str
    name: str
    service: str
    volumes: bool = False
    stop: bool = False
    """Whether one that was started meanwhile is stopped first, instead of refused: who attaches takes no turn for that."""
    timeout: float | None = None
    """Seconds of grace for that; None is the container's own."""


@dataclass(frozen=True, slots=True)
class AwaitCondition:
    """Wait until every container named satisfies the condition; fails when it cannot any more."""

    service: str
    containers: tuple[str, ...]
    condition: Condition
    required: bool = True
    """A dependency that is not required only warns when it fails."""
    timeout: float | None = None


Operation = (
    PullImage
    | BuildImage
    | PushImage
    | CreateNetwork
    | RemoveNetwork
    | CreateVolume
    | RemoveVolume
    | RemoveImage
    | CreateContainer
    | StartContainer
    | StopContainer
    | RemoveContainer
    | AwaitCondition
)


@dataclass(frozen=True, slots=True)
class Node:
    """One operation of a plan."""

    id: str
    """Stable and readable: `pull/redis:7`, `build/web`, `network/shop_default`, `create/shop-web-1`, `start/shop-web-1`,
    `await/db/service_healthy`."""
    operation: Operation
    cause: str
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """Nodes in an order in which each stands after all it needs."""

    nodes: tuple[Node, ...] = ()
    warnings: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.nodes)

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes)

    def __str__(self) -> str:
        """One line a node: `start/shop-web-1  (created)  after create/shop-web-1, await/db/service_healthy`."""
        return "\n".join(
            f"{node.id}  ({node.cause})" + (f"  after {', '.join(node.needs)}" if node.needs else "")
            for node in self.nodes
        )
