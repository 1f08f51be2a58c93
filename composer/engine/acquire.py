"""Which images a request needs from registries: the pass before all others, because what they say of themselves decides.

Pure. Policies are the Compose Specification's `pull_policy`, which `--pull` overrides. An image that can be built is asked
for, too, where its service names it; that failing is no error, since it is built then (`building.builds`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from composer.engine.configure import Image
from composer.engine.plan import (
    BuildImage,
    CreateContainer,
    Node,
    Plan,
    PullImage,
    PushImage,
    RemoveContainer,
    StartContainer,
    StopContainer,
)
from composer.image.host import is_reserved
from composer.image.image import Image as Stored
from composer.lock.pins import Pins
from composer.oci.config import Healthcheck, ImageConfig
from composer.oci.descriptor import Platform
from composer.oci.platform import parse_platform, rank
from composer.project.model import Service
from composer.project.quantities import parse_duration

_DAY = 86400.0
_REFRESH = {"daily": _DAY, "weekly": 7 * _DAY}

Locate = Callable[[tuple[str, ...]], str]

_NONE = Pins()


def acquire(
    services: Sequence[Service],
    images: Mapping[str, Stored],
    *,
    policy: str,
    now: float,
    locate: Locate,
    pins: Pins = _NONE,
) -> Plan:
    """What to pull before `services` can be brought up; `policy` is `--pull`, `images` what is there, by reference.

    What `pins` lock is pulled by its digest, and only if it is not there: it cannot get any newer. What can be built is
    built where there is a lock, from what that says: what a registry has by its name could be anything.
    """

    def cause(service: Service) -> str:
        if service.build is not None and pins.present:
            return ""
        asked = policy if policy != "policy" else service.pull_policy or "missing"
        why = f"`--pull {policy}`" if policy != "policy" else _written(service, "pull_policy", asked, locate)
        return _cause(service, asked, why, images, now, locate, pins)

    return _plan(services, cause, pins)


def acquire_anew(
    services: Sequence[Service],
    images: Mapping[str, Stored],
    *,
    policy: str,
    ignore_buildable: bool,
    ignore_failures: bool,
    now: float,
    locate: Locate,
    pins: Pins = _NONE,
) -> Plan:
    """What `compose pull` pulls: everything, but for what the file's policies or `policy` leave as it is."""

    def cause(service: Service) -> str:
        if service.build is not None and ignore_buildable:
            return ""
        asked = policy or service.pull_policy or "always"
        why = f"`--policy {policy}`" if policy else "asked for"
        return _cause(service, asked if asked not in _REFRESH else "always", why, images, now, locate, pins)

    building = {service.image: f"`compose build {service.name}` makes it" for service in services if service.build}

    def optional(node: Node) -> Node:
        pull = node.operation
        assert isinstance(pull, PullImage)
        required = pull.required and not ignore_failures
        return replace(node, operation=replace(pull, required=required, otherwise=building.get(pull.reference, "")))

    return Plan(tuple(optional(node) for node in _plan(services, cause, pins)))


def publish(services: Sequence[Service], *, ignore_failures: bool) -> Plan:
    """What `compose push` pushes: the images that are built here, by the names that their services give them."""
    names = dict.fromkeys(
        service.image for service in services if service.image and service.build and not is_reserved(service.image)
    )
    return Plan(tuple(Node(f"push/{name}", PushImage(name, not ignore_failures), "asked for") for name in names))


def unknown_image() -> Image:
    """What stands for an image that is still to be pulled, so that a dry run can go on; nothing it says is shown."""
    return _Unknown()


def made_by(images: Plan) -> dict[str, Node]:
    """The node after which each image is known, by reference: its pull, or rather its build where there is one."""
    made: dict[str, Node] = {}
    for node in images:
        match node.operation:
            case PullImage(reference):
                made[reference] = node
            case BuildImage(_, references):
                made |= dict.fromkeys(references, node)
            case _:
                continue
    return made


def known_after(images: Plan, plan: Plan) -> Plan:
    """A dry run's plan: pulls and builds, and after them what depends on images that only these will tell about."""
    made = made_by(images)
    nodes: list[Node] = list(images)
    told: dict[str, str] = {}
    """What is to be said of the containers that are made, by name, and of those they replace, by id."""
    for node in plan:
        match node.operation:
            case CreateContainer(container, replaces) if maker := made.get(container.config.image):
                kind, _, name = maker.id.partition("/")
                told |= dict.fromkeys((container.name, replaces), f"known after {kind} of {name}")
                node = replace(node, cause=told[container.name], needs=(*node.needs, maker.id))
            case StartContainer(name) if name in told:
                node = replace(node, cause=told[name])
            case StopContainer(former) | RemoveContainer(former) if former in told:
                node = replace(node, cause=told[former])
            case _:
                pass
        nodes.append(node)
    return Plan(tuple(nodes), plan.warnings)


class _Unknown:
    id = ""
    # A command and a check, so that neither is missed before anything is known.
    config = ImageConfig("", "linux", cmd=("unknown",), healthcheck=Healthcheck(("CMD", "unknown")))


def _plan(services: Sequence[Service], cause: Callable[[Service], str], pins: Pins) -> Plan:
    nodes: dict[str, Node] = {}
    for service in services:
        if service.image is None or is_reserved(service.image):
            continue
        if why := cause(service):
            required = service.build is None
            known = nodes.get(service.image)
            if known is None or (required and not _is_required(known)):
                pin = pins.image(service.image)
                otherwise = "" if required else "it is built instead"
                locked = str(pin.digest) if pin else ""
                pull = PullImage(service.image, service.platform or "", required, locked, otherwise)
                nodes[service.image] = Node(f"pull/{service.image}", pull, why)
    return Plan(tuple(nodes.values()))


def _cause(
    service: Service,
    policy: str,
    why: str,
    images: Mapping[str, Stored],
    now: float,
    locate: Locate,
    pins: Pins,
) -> str:
    """Why the service's image is to be pulled; empty where it is not."""
    if policy in ("never", "build"):
        return ""
    image = images.get(service.image or "")
    pin = pins.image(service.image or "")
    if image is None and pin is not None:
        return f"missing {pin.digest.short}{f', {pin.place}' if pin.place else ''}"
    if image is None:
        return f"missing{_place(service, 'image', locate)}"
    if policy == "always" and pin is None:
        return why
    if service.platform and not _runs_on(image, service.platform):
        return _written(service, "platform", service.platform, locate)
    if pin is not None:
        return ""
    age = _REFRESH.get(policy) or (parse_duration(policy.removeprefix("every_")) if policy.startswith("every_") else 0)
    if age and (image.origin is None or image.origin.time + age <= now):
        return why
    return ""


def _runs_on(image: Stored, platform: str) -> bool:
    have = Platform(image.config.architecture, image.config.os, image.config.variant)
    return rank(have, parse_platform(platform)) is not None


def _written(service: Service, attribute: str, value: str, locate: Locate) -> str:
    return f"{attribute}: {value}{_place(service, attribute, locate)}"


def _place(service: Service, attribute: str, locate: Locate) -> str:
    place = locate(("services", service.name, attribute))
    return f", {place}" if place else ""


def _is_required(node: Node) -> bool:
    return isinstance(node.operation, PullImage) and node.operation.required
