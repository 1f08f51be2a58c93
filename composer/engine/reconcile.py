"""The plan that leads from what is to what should be. Networks, volumes, containers, orphans; in four lines of story.

Pure: `verdict` decides what becomes of each container, this module writes it down as operations and their order.

Recreation. `create` makes the successor beside its predecessor, then the predecessor is stopped and removed while the
successor starts:

    create/web (replaces the old one) -> stop/web -> start/web
                                                  -> remove/web

`create` takes over the name and the anonymous volumes in one transaction and leaves the predecessor under a name of its
own. So a service that cannot be created (no such user, no such file) is not interrupted; and after a crash at any point there
is either the old container alone (it is replaced again) or both (the one with the right name carries on, the other goes).
Nothing removes a volume here, but for `--renew-anon-volumes`, where the old container must go first, with its volumes:

    stop/web -> remove/web with volumes -> create/web -> start/web

Networks. One whose definition changed is removed and made again, between the stop and the start of every container on it,
whosever request it is: stop/* -> remove-network -> network -> start/*.

Conditions. `start` waits for `await` nodes, and these for the `start`s of the service awaited. A condition that holds
already, on a service that this plan does not touch, has no node: so a second `up` is an empty plan. As in Docker Compose,
exited containers are started again, one-shots that have completed included, and conditions are awaited even where
the dependent runs already: `up` fails when what a running service depends on is unhealthy.
"""

from __future__ import annotations

from collections.abc import Iterable

from composer.api.messages import UpOptions
from composer.engine.difference import Locate, nowhere
from composer.engine.draft import Draft
from composer.engine.plan import (
    AwaitCondition,
    CreateContainer,
    CreateNetwork,
    CreateVolume,
    Plan,
    RemoveContainer,
    RemoveNetwork,
    StartContainer,
    StopContainer,
)
from composer.engine.verdict import SHARES, Action, Bystander, Judgement, Removal, Verdict, is_up, judge
from composer.engine.world import (
    Condition,
    ContainerConfig,
    Desired,
    DesiredContainer,
    DesiredNetwork,
    Health,
    Need,
    Observed,
    ObservedContainer,
    ObservedNetwork,
    State,
)
from composer.errors import UsageError


def reconcile(desired: Desired, observed: Observed, options: UpOptions, locate: Locate = nowhere) -> Plan:
    """The operations that make `observed` into `desired`, each with its cause; `locate` adds the place in the file.

    Raises:
        UsageError: an external network or volume that does not exist, or a container name that another one holds.
    """
    reconciler = _Reconciler(desired, observed, options, locate)
    reconciler.networks()
    reconciler.volumes()
    reconciler.containers()
    reconciler.orphans()
    return reconciler.draft.finish()


class _Reconciler:
    def __init__(self, desired: Desired, observed: Observed, options: UpOptions, locate: Locate) -> None:
        self.draft = Draft()
        self._desired = desired
        self._observed = observed
        self._options = options
        self._locate = locate
        self._remade = {
            name: change
            for name, network in desired.networks.items()
            if (change := _network_change(network, observed.networks.get(name), desired.project))
        }
        self._judgement: Judgement = judge(desired, observed, options, self._remade, locate)
        self._members: dict[str, list[str]] = {}
        for verdict in self._judgement.verdicts:
            if not verdict.desired.one_off:
                self._members.setdefault(verdict.desired.service, []).append(verdict.name)
        self._creations: dict[str, list[str]] = {}
        self._starts: dict[str, list[str]] = {}

    def networks(self) -> None:
        """Make what is missing; make again what changed, after everything on it has stopped."""
        for name, network in self._desired.networks.items():
            there = self._observed.networks.get(name)
            if there is None and network.external:
                raise UsageError(
                    f"cannot use network `{name}`: it is declared external{self._at('networks', network.key)} "
                    "and does not exist",
                    hint="bring up the project that makes it first, or drop `external: true`",
                )
            if there and not network.external and there.project != self._desired.project:
                self.draft.warn(
                    f"network `{name}` is not of this project; declare it `external: true` to use it as it is"
                )
            if name in self._remade:
                attached = [c.name for c in self._observed.containers if is_up(c) and name in c.networks]
                cause = self._remade[name] + self._at("networks", network.key)
                removal = self.draft.add(
                    f"remove-network/{name}",
                    RemoveNetwork(name),
                    cause,
                    [f"stop/{container}" for container in attached],
                )
                self.draft.add(f"network/{name}", CreateNetwork(network), cause, [removal])
            elif there is None:
                self.draft.add(f"network/{name}", CreateNetwork(network), "new")
            elif not there.alive:
                self.draft.add(f"network/{name}", CreateNetwork(network), "its namespace is gone")

    def volumes(self) -> None:
        """Make what is missing. One that differs is only warned about: it holds data."""
        for name, volume in self._desired.volumes.items():
            there = self._observed.volumes.get(name)
            if there is None and volume.external:
                raise UsageError(
                    f"cannot use volume `{name}`: it is declared external{self._at('volumes', volume.key)} "
                    "and does not exist",
                    hint="bring up the project that makes it first, or drop `external: true`",
                )
            if there is None:
                self.draft.add(f"volume/{name}", CreateVolume(volume), "new")
            elif not volume.external:
                if there.project != self._desired.project:
                    self.draft.warn(f"volume `{name}` is not of this project; declare it `external: true` to use it")
                if (there.driver or "local") != (volume.driver or "local"):
                    self.draft.warn(
                        f"volume `{name}` keeps driver `{there.driver or 'local'}`{self._at('volumes', volume.key)}: "
                        "a driver cannot be changed without losing the data"
                    )

    def containers(self) -> None:
        """Bring every container where its verdict says, then wait where `--wait` asks for it."""
        for verdict in self._judgement.verdicts:
            self._container(verdict)
        for removal in self._judgement.removals:
            self._remove(removal)
        for bystander in self._judgement.bystanders:
            self._bystander(bystander)
        if self._options.wait and not self._options.no_start:
            self._wait()

    def orphans(self) -> None:
        """Say what is left over; with `--remove-orphans` it is among the removals."""
        if names := self._judgement.orphans:
            listing = ", ".join(f"`{name}`" for name in names)
            self.draft.warn(
                f"orphan containers of services that the file does not have: {listing}; see --remove-orphans"
            )

    def _container(self, verdict: Verdict) -> None:
        desired, present = verdict.desired, verdict.present
        before: list[str] = []
        match verdict.action:
            case Action.CREATE:
                before = [self._create(verdict)]
            case Action.RECREATE if present and self._options.renew_anonymous_volumes:
                stopped = self._stop(present, verdict.cause, self._dependents(desired))
                removed = self._removal(present, verdict.cause, stopped, volumes=True)
                before = [self._create(verdict, needs=[removed])]
            case Action.RECREATE if present:
                created = self._create(verdict, replaces=present.id)
                stops_first = [created, *self._dependents(desired), *self._creations_followed(desired)]
                stopped = self._stop(present, verdict.cause, stops_first)
                self._removal(present, verdict.cause, [created, *stopped])
                before = [created, *stopped]
            case Action.RESTART if present:
                needs = [*self._dependents(desired), *self._creations_followed(desired)]
                before = self._stop(present, verdict.cause, needs)
            case _:
                pass
        if self._options.no_start:
            return
        waits = self._conditions(desired, running=verdict.action is Action.KEEP)
        if verdict.action is not Action.KEEP:
            networks = [f"network/{place.network}" for place in desired.config.networks]
            before += self._way_made(verdict)
            self._start(verdict.name, desired.service, verdict.cause, [*before, *networks, *waits])

    def _create(self, verdict: Verdict, *, replaces: str = "", needs: Iterable[str] = ()) -> str:
        desired = verdict.desired
        volumes = [f"volume/{mount.source}" for mount in desired.config.mounts if mount.kind == "volume"]
        # A network that is made again cannot be waited for here: it waits for the stop of what this one replaces.
        networks = [place.network for place in desired.config.networks]
        fresh = [f"network/{name}" for name in networks if name not in self._remade]
        needs = [*needs, *self._name_holder(verdict)]
        created = self.draft.add(
            f"create/{desired.name}", CreateContainer(desired, replaces), verdict.cause, [*needs, *fresh, *volumes]
        )
        if not needs:
            self._creations.setdefault(desired.service, []).append(created)
        return created

    def _name_holder(self, verdict: Verdict) -> list[str]:
        """The removal that frees the name. Raises UsageError when nothing does."""
        name = verdict.desired.name
        holder = next((container for container in self._observed.containers if container.name == name), None)
        if holder is None or (verdict.present and holder.id == verdict.present.id):
            return []
        leaves = {removal.container.id for removal in self._judgement.removals} | {
            other.present.id for other in self._judgement.verdicts if other.present and other.action is Action.RECREATE
        }
        if holder.id in leaves:
            return [f"remove/{name}"]
        orphan = holder.service not in self._desired.known
        raise UsageError(
            f"cannot create container `{name}`: service `{holder.service}` has a container of that name",
            hint="add --remove-orphans to remove it" if orphan else "choose another `container_name`",
        )

    def _stop(self, container: ObservedContainer, cause: str, needs: Iterable[str]) -> list[str]:
        if not is_up(container):
            return []
        stop = StopContainer(container.id, container.name, container.service, self._options.timeout)
        return [self.draft.add(f"stop/{container.name}", stop, cause, needs)]

    def _removal(self, container: ObservedContainer, cause: str, needs: Iterable[str], *, volumes: bool = False) -> str:
        remove = RemoveContainer(container.id, container.name, container.service, volumes)
        return self.draft.add(f"remove/{container.name}", remove, cause, needs)

    def _start(self, name: str, service: str, cause: str, needs: Iterable[str]) -> None:
        start = self.draft.add(f"start/{name}", StartContainer(name, service), cause, needs)
        self._starts.setdefault(service, []).append(start)

    def _dependents(self, desired: DesiredContainer) -> list[str]:
        """The stops that come before this container's own: of those that go down because it does."""
        shares = f"{SHARES}{desired.service}"
        return [
            f"stop/{verdict.present.name}"
            for verdict in self._judgement.verdicts
            if verdict.present
            and (
                verdict.desired.config.network_mode == shares
                or any(need.service == desired.service and need.restart for need in verdict.desired.needs)
            )
        ]

    def _creations_followed(self, desired: DesiredContainer) -> list[str]:
        """The creations that come before this container's stop: where one of them fails, it goes on as it is.

        Creations that wait for a removal are none of these: they may wait for this very stop.
        """
        partners = {need.service for need in desired.needs if need.restart}
        partners.add(desired.config.network_mode.removeprefix(SHARES))
        return [created for partner in sorted(partners) for created in self._creations.get(partner, ())]

    def _way_made(self, verdict: Verdict) -> list[str]:
        """The stops that come before this container's start: of others that have its place or a host port of its."""
        desired = verdict.desired
        place, ports = (desired.service, desired.number), _host_ports(desired.config)
        others = [c for c in self._observed.containers if not c.one_off and c is not verdict.present]
        return [
            f"stop/{other.name}"
            for other in others
            if (other.service, other.number) == place or ports & _host_ports(other.config)
        ]

    def _remove(self, removal: Removal) -> None:
        stopped = self._stop(removal.container, removal.cause, ())
        self._removal(removal.container, removal.cause, stopped)

    def _bystander(self, bystander: Bystander) -> None:
        container = bystander.container
        stopped = self._stop(container, bystander.cause, ())
        if bystander.restart and not self._options.no_start:
            networks = [f"network/{name}" for name in container.networks]
            partners = self._starts.get(bystander.after, ())
            self._start(container.name, container.service, bystander.cause, [*stopped, *networks, *partners])

    def _conditions(self, waiter: DesiredContainer, *, running: bool) -> list[str]:
        """The nodes that must be done before `waiter` starts; for one that runs, what it still depends on."""
        return [node for need in waiter.needs for node in self._condition(need, waiter.service, running=running)]

    def _condition(self, need: Need, waiter: str, *, running: bool) -> list[str]:
        present = [c for c in self._observed.containers if c.service == need.service and not c.one_off]
        members = self._members.get(need.service) or (
            [] if need.service in self._desired.scope else [container.name for container in present]
        )
        starts = self._starts.get(need.service, [])
        if not members:
            return []
        if need.condition is Condition.STARTED:
            if running or not starts:
                return []
            if need.required:
                return starts
        elif not starts and all(_holds(need.condition, c) for c in present if c.name in members):
            return []
        optional = "" if need.required else "/optional"
        return [
            self.draft.add(
                f"await/{need.service}/{need.condition.value}{optional}",
                self._await(need.service, members, need.condition, required=need.required),
                f"{waiter} depends on it",
                starts,
            )
        ]

    def _await(
        self, service: str, members: Iterable[str], condition: Condition, *, required: bool = True
    ) -> AwaitCondition:
        timeout = self._options.wait_timeout if self._options.wait else None
        return AwaitCondition(service, tuple(members), condition, required, timeout)

    def _wait(self) -> None:
        """`--wait`: all that was asked for is healthy, or runs where it has no check; one-shots are not waited for."""
        one_shots = {
            need.service
            for container in self._desired.containers
            for need in container.needs
            if need.condition is Condition.COMPLETED
        }
        for service in dict.fromkeys(container.service for container in self._desired.containers):
            if service not in self._desired.explicit or service in one_shots:
                continue
            verdicts = [verdict for verdict in self._judgement.verdicts if verdict.desired.service == service]
            condition = Condition.HEALTHY if verdicts[0].desired.config.health else Condition.STARTED
            starts = self._starts.get(service, [])
            names = [verdict.name for verdict in verdicts]
            if not starts and all(_holds(condition, c) for c in self._observed.containers if c.name in names):
                continue
            operation = self._await(service, names, condition)
            self.draft.add(f"await/{service}/{condition.value}", operation, "--wait", starts)

    def _at(self, *path: str) -> str:
        place = self._locate(path)
        return f" ({place})" if place else ""


def _host_ports(config: ContainerConfig) -> set[tuple[str, str]]:
    """The ports of the host that only one container can have, addresses regardless: it is but a matter of order."""
    return {(port.protocol, port.host_port) for port in config.ports if port.host_port}


def _network_change(network: DesiredNetwork, there: ObservedNetwork | None, project: str) -> str:
    """Why a network must be made again, or ""; what belongs to others is used as it is."""
    if there is None or network.external or there.project != project:
        return ""
    if there.internal != network.internal:
        return f"internal: {str(there.internal).lower()} -> {str(network.internal).lower()}"
    if there.wanted_subnet != network.subnet:
        return f"subnet: {there.wanted_subnet or 'default'} -> {network.subnet or 'default'}"
    if there.wanted_range is not None and there.wanted_range != network.ip_range:
        return f"range: {there.wanted_range or 'all'} -> {network.ip_range or 'all'}"
    if there.wanted_reserved is not None and there.wanted_reserved != network.reserved:
        return "addresses of others changed"
    if there.wanted_gateway is not None and there.wanted_gateway != network.gateway:
        return f"gateway: {there.wanted_gateway or 'default'} -> {network.gateway or 'default'}"
    return ""


def _holds(condition: Condition, container: ObservedContainer) -> bool:
    """Whether the condition holds now."""
    match condition:
        case Condition.STARTED:
            return container.state is State.RUNNING
        case Condition.HEALTHY:
            return container.state is State.RUNNING and container.health is Health.HEALTHY
        case Condition.COMPLETED:
            return container.state is State.EXITED and container.exit_code == 0
