"""A plan's operations as events: one line of progress each, in words a user knows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import assert_never

from composer.api.messages import Event
from composer.engine.plan import (
    AwaitCondition,
    BuildImage,
    CreateContainer,
    CreateNetwork,
    CreateVolume,
    Node,
    Plan,
    PullImage,
    PushImage,
    RemoveContainer,
    RemoveImage,
    RemoveNetwork,
    RemoveVolume,
    StartContainer,
    StopContainer,
)
from composer.engine.world import Condition, Desired

_REACHED = {Condition.STARTED: "started", Condition.HEALTHY: "healthy", Condition.COMPLETED: "exited"}
_UNTIL = {Condition.STARTED: "to run", Condition.HEALTHY: "to be healthy", Condition.COMPLETED: "to complete"}


class Progress:
    """What to tell about a plan while it is carried out; keeps who still waits for whom."""

    def __init__(self, plan: Plan) -> None:
        operations = [node.operation for node in plan]
        self._replaced = {op.replaces for op in operations if isinstance(op, CreateContainer)}
        self._waiters: dict[str, list[StartContainer]] = {}
        self._waits: dict[str, list[AwaitCondition]] = {}
        awaits = {node.id: node.operation for node in plan if isinstance(node.operation, AwaitCondition)}
        for node in plan:
            if isinstance(node.operation, StartContainer):
                for need in node.needs:
                    if need in awaits:
                        self._waiters.setdefault(need, []).append(node.operation)
                        self._waits.setdefault(node.operation.name, []).append(awaits[need])

    def begun(self, node: Node) -> Iterator[Event]:
        """What to tell when `node` begins."""
        operation = node.operation
        if isinstance(operation, AwaitCondition):
            yield from self._waiting(node.id, operation)
        elif not self._is_quiet(operation):
            yield _event(node, _verb(operation, begun=True))

    def done(self, node: Node, seconds: float) -> Iterator[Event]:
        """What to tell when `node` has been carried out."""
        operation = node.operation
        if isinstance(operation, AwaitCondition):
            yield from (
                Event("container", name, _REACHED[operation.condition], seconds=seconds, service=operation.service)
                for name in operation.containers
            )
            for waiter in self._waiters.get(node.id, ()):
                self._waits[waiter.name].remove(operation)
                yield from self._still_waiting(waiter)
        elif not self._is_quiet(operation):
            yield _event(node, _verb(operation, begun=False), seconds=seconds)

    def failed(self, node: Node, message: str, hint: str, *, warning: bool = False) -> Iterator[Event]:
        """What to tell when `node` could not be carried out; a `warning` stops nothing."""
        yield _event(node, "warning" if warning else "error", detail=message, hint=hint)

    def _waiting(self, node_id: str, operation: AwaitCondition) -> Iterator[Event]:
        waiters = self._waiters.get(node_id, ())
        for waiter in waiters:
            yield from self._still_waiting(waiter)
        if not waiters:
            detail = _UNTIL[operation.condition]
            yield from (
                Event("container", name, "waiting", detail=detail, service=operation.service)
                for name in operation.containers
            )

    def _still_waiting(self, waiter: StartContainer) -> Iterator[Event]:
        if waits := self._waits[waiter.name]:
            detail = ", ".join(f"{wait.service} {_UNTIL[wait.condition]}" for wait in waits)
            yield Event("container", waiter.name, "waiting", detail=detail, service=waiter.service)

    def _is_quiet(self, operation: object) -> bool:
        """The removal of a replaced container goes without saying: `recreated` has said it."""
        return isinstance(operation, RemoveContainer) and operation.id in self._replaced


def kept(desired: Desired, plan: Plan) -> Iterator[Event]:
    """A `running` for each container that the plan leaves as it is."""
    touched = {node.operation.name for node in plan if isinstance(node.operation, StartContainer | StopContainer)} | {
        node.operation.container.name for node in plan if isinstance(node.operation, CreateContainer)
    }
    for container in desired.containers:
        if container.name not in touched:
            yield Event("container", container.name, "running", service=container.service)


def warnings(plan: Plan) -> Iterable[Event]:
    """The plan's warnings."""
    return (Event("project", "", "warning", detail=text) for text in plan.warnings)


def _event(node: Node, status: str, *, detail: str = "", hint: str = "", seconds: float = 0.0) -> Event:
    resource, name, service = _subject(node)
    return Event(resource, name, status, node.cause, detail, hint, seconds, service)


def _subject(node: Node) -> tuple[str, str, str]:
    """The resource, its name and the service."""
    match node.operation:
        case PullImage(reference) | PushImage(reference) | RemoveImage(reference):
            return "image", reference, ""
        case BuildImage(service, references):
            return "image", references[0], service
        case CreateNetwork(network):
            return "network", network.name, ""
        case RemoveNetwork(name):
            return "network", name, ""
        case CreateVolume(volume):
            return "volume", volume.name, ""
        case RemoveVolume(name):
            return "volume", name, ""
        case CreateContainer(container):
            return "container", container.name, container.service
        case StartContainer(name, service) | StopContainer(_, name, service) | RemoveContainer(_, name, service):
            return "container", name, service
        case AwaitCondition(service, containers):
            return "container", ", ".join(containers), service
        case unknown:
            assert_never(unknown)


def _verb(operation: object, *, begun: bool) -> str:
    match operation:
        case PullImage():
            return "pulling" if begun else "pulled"
        case BuildImage():
            return "building" if begun else "built"
        case PushImage():
            return "pushing" if begun else "pushed"
        case CreateContainer(_, replaces) if replaces:
            return "recreating" if begun else "recreated"
        case CreateNetwork() | CreateVolume() | CreateContainer():
            return "creating" if begun else "created"
        case StartContainer():
            return "starting" if begun else "started"
        case StopContainer():
            return "stopping" if begun else "stopped"
        case _:
            return "removing" if begun else "removed"
