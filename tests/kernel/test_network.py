"""Networks and containers attached to them, with real namespaces on a machine of our own."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import ExitStack
from ipaddress import IPv4Interface, IPv4Network
from pathlib import Path
from typing import Any

import pytest

from composer.errors import ContainerError
from composer.keeper.steps import Step, Sysctl
from composer.network import topology
from composer.network.driver import Networks
from composer.network.host import forwarding_steps
from composer.network.spec import Facts, Interface, NetworkSpec
from tests.fakes.links import Machine, MachineJobs, MemoryStore, eventually, inside, link_names
from tests.kernel.network_lab import HOST, OUTSIDE, Lab, Server, ask, connect, echo, reaches, says, who

pytestmark = pytest.mark.kernel

ONE, TWO = "aaaaaaaaaaaa", "bbbbbbbbbbbb"


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    with ExitStack() as stack:
        yield Lab(stack, tmp_path)


def ip_forward(lab: Lab) -> str:
    return lab.host.run("cat", "/proc/sys/net/ipv4/ip_forward").stdout.strip()


def rules(lab: Lab) -> str:
    return lab.host.run("nft", "list", "ruleset", check=True).stdout


def test_two_containers_of_one_network_reach_each_other(lab: Lab) -> None:
    net = lab.network(ONE)
    one, two = lab.container("c1", (net, "172.30.0.2")), lab.container("c2", (net, "172.30.0.3"))

    assert reaches(one, "172.30.0.3")
    assert reaches(two, "172.30.0.2")
    assert link_names(one) == ["eth0", "lo"]


def test_a_container_reaches_the_outside_by_the_address_of_the_host(lab: Lab) -> None:
    container = lab.container("c1", (lab.network(ONE), "172.30.0.2"))
    server = Server(lab.outside, 80, serve=who)

    assert reaches(container, OUTSIDE)
    assert ask(container, OUTSIDE, 80) == HOST.encode()
    server.close()


def test_a_container_reaches_its_host(lab: Lab) -> None:
    container = lab.container("c1", (lab.network(ONE), "172.30.0.2"))
    uplink = lab.networks.uplink(ONE)

    assert uplink is not None
    assert reaches(container, str(uplink.host.ip))
    assert reaches(container, HOST)


def test_the_same_subnet_and_addresses_exist_twice_side_by_side(lab: Lab) -> None:
    one, two = lab.network(ONE), lab.network(TWO)
    containers = [
        lab.container(name, (net, f"172.30.0.{last}"))
        for name, net, last in (("c1", one, 2), ("c2", two, 2), ("c3", two, 3))
    ]
    server = Server(containers[1], 80, serve=says("two"))

    assert ask(containers[2], "172.30.0.2", 80) == b"two"
    assert not reaches(containers[0], "172.30.0.3")
    with pytest.raises(ConnectionRefusedError):
        connect(containers[0], "172.30.0.2", 80)
    assert all(reaches(container, OUTSIDE) for container in containers)
    server.close()


def test_an_internal_network_has_no_way_out(lab: Lab) -> None:
    net = lab.network(ONE, internal=True)
    one, two = lab.container("c1", (net, "172.30.0.2")), lab.container("c2", (net, "172.30.0.3"))

    assert reaches(one, "172.30.0.3")
    assert not reaches(two, OUTSIDE)
    assert not reaches(two, HOST)
    assert link_names(lab.host) == ["lo", "wan"]
    assert "composer" not in rules(lab)
    assert ip_forward(lab) == "0"


def test_networks_cannot_reach_each_other_through_the_host(lab: Lab) -> None:
    container = lab.container("c1", (lab.network(ONE, "172.30.0.0/24"), "172.30.0.2"))
    lab.network(TWO, "172.31.0.0/24")
    other = lab.networks.uplink(TWO)

    assert other is not None
    assert not reaches(container, str(other.network.ip))


def test_outsiders_cannot_route_into_a_network(lab: Lab) -> None:
    net = lab.network(ONE)
    lab.container("c1", (net, "172.30.0.2"))
    uplink = lab.networks.uplink(ONE)
    assert uplink is not None
    lab.outside.run("ip", "route", "add", str(topology.UPLINK_BLOCK), "via", HOST, check=True)
    lab.host.run("ip", "route", "add", "172.30.0.0/24", "via", str(uplink.network.ip), check=True)

    assert not reaches(lab.outside, str(uplink.network.ip))
    assert not reaches(lab.host, "172.30.0.2")


def test_a_host_that_did_not_forward_does_not_become_a_router_for_others(lab: Lab) -> None:
    third = lab.host.container((), {})
    command = ["ip", "link", "add", "lan", "type", "veth", "peer", "name", "lan", "netns", str(third.pid)]
    lab.host.run(*command, check=True)
    for machine, address in ((lab.host, "198.51.100.1/24"), (third, "198.51.100.9/24")):
        machine.run("ip", "addr", "add", address, "dev", "lan", check=True)
        machine.run("ip", "link", "set", "lan", "up", check=True)
    third.run("ip", "route", "add", "default", "via", "198.51.100.1", check=True)
    lab.outside.run("ip", "route", "add", "default", "via", HOST, check=True)

    lab.network(ONE)

    assert ip_forward(lab) == "1"
    assert not reaches(third, OUTSIDE)


def test_a_container_on_two_networks_has_one_default_route_and_reaches_both(lab: Lab) -> None:
    one, two = lab.network(ONE, "172.30.0.0/24"), lab.network(TWO, "172.31.0.0/24")
    both = lab.container("c1", (one, "172.30.0.2"), (two, "172.31.0.2"))
    lab.container("c2", (two, "172.31.0.3"))

    assert link_names(both) == ["eth0", "eth1", "lo"]
    assert reaches(both, "172.31.0.3")
    assert reaches(both, OUTSIDE)
    assert both.run("ip", "route", "show", "default").stdout.split()[:3] == ["default", "via", "172.30.0.1"]


def test_a_container_without_networks_has_loopback_only(lab: Lab) -> None:
    container = lab.container("c1")

    assert link_names(container) == ["lo"]
    assert reaches(container, "127.0.0.1")
    assert container.reported == {}


def test_any_user_of_a_container_may_bind_low_ports_and_ping(lab: Lab) -> None:
    container = lab.container("c1", (lab.network(ONE), "172.30.0.2"))

    assert container.run("cat", "/proc/sys/net/ipv4/ip_unprivileged_port_start").stdout.strip() == "0"
    assert container.run("cat", "/proc/sys/net/ipv4/ping_group_range").stdout.split() == ["0", "2147483647"]


def test_a_restarted_container_is_reached_although_its_former_namespace_still_lives(lab: Lab) -> None:
    net = lab.network(ONE)
    peer = lab.container("peer", (net, "172.30.0.3"))
    former = lab.container("c1", (net, "172.30.0.2"))
    assert reaches(peer, "172.30.0.2")

    again = lab.container("c1", (net, "172.30.0.2"), start=1)
    server = Server(again, 80, serve=echo)

    assert ask(peer, "172.30.0.2", 80) == b"hello"
    server.close()
    former.close()


def test_a_replaced_container_takes_over_its_address_at_once(lab: Lab) -> None:
    net = lab.network(ONE)
    peer = lab.container("peer", (net, "172.30.0.3"))
    lab.container("old", (net, "172.30.0.2"))
    assert reaches(peer, "172.30.0.2")

    interface = Interface("eth0", net.id, IPv4Interface("172.30.0.2/24"), net.gateway, default_route=True)
    steps = topology.attach_steps("new", [interface], silence=[(net.id, topology.link_name("old", 0))])
    new = lab.host.container(steps, lab.networks.descriptors([net.id]))
    server = Server(new, 80, serve=echo)

    assert ask(peer, "172.30.0.2", 80) == b"hello"
    server.close()


def test_silencing_a_link_that_is_gone_is_fine(lab: Lab) -> None:
    net = lab.network(ONE)
    former = lab.container("c1", (net, "172.30.0.2"))
    former.close()
    bridge = lab.networks.descriptors([net.id])[f"netns/{net.id}"]
    assert eventually(lambda: topology.link_name("c1", 0) not in links_inside(bridge))

    assert reaches(lab.container("c1", (net, "172.30.0.2"), start=1), "172.30.0.1")


def test_every_step_of_a_network_that_fails_leaves_nothing(lab: Lab) -> None:
    net = IPv4Network("172.30.0.0/24")
    spec = NetworkSpec(ONE, "p", net, net[1])
    steps = topology.network_steps(spec, lab.facts, topology.Uplink(7))
    broken = Sysctl("net.no.such.key", "1")
    Path(lab.facts.run, "netns").mkdir()
    for failing in range(len(steps) + 1):
        with pytest.raises(ContainerError):
            lab.host.job([*steps[:failing], broken], clone=("net",), fds={topology.HOST: lab.host.netns})
        lab.host.job(topology.remove_steps(ONE, lab.facts))

    assert eventually(lambda: link_names(lab.host) == ["lo", "wan"])
    assert list(Path(lab.facts.run, "netns").iterdir()) == []


def test_every_step_of_an_attachment_that_fails_leaves_no_link_in_the_network(lab: Lab) -> None:
    net = lab.network(ONE)
    interface = Interface("eth0", net.id, IPv4Interface("172.30.0.2/24"), net.gateway, default_route=True)
    steps = topology.attach_steps("c1", [interface])
    fds = lab.networks.descriptors([net.id])
    for failing in range(len(steps) + 1):
        with pytest.raises(ContainerError):
            lab.host.container([*steps[:failing], Sysctl("net.no.such.key", "1")], fds)

    bridge = fds[f"netns/{net.id}"]
    assert eventually(lambda: not [name for name in links_inside(bridge) if name.startswith("v")])


def links_inside(netns: int) -> list[str]:
    with inside(netns):
        return [name for _index, name in socket.if_nameindex()]


def test_creating_a_network_twice_changes_nothing(lab: Lab) -> None:
    spec = lab.network(ONE)
    jobs, before = lab.jobs.count, rules(lab)

    lab.do(lab.networks.create(spec))

    assert lab.jobs.count == jobs
    assert rules(lab) == before


def test_removing_networks_leaves_the_machine_as_it_was(lab: Lab) -> None:
    lab.network(ONE)
    lab.network(TWO)
    assert ip_forward(lab) == "1"
    assert len(list(Path(lab.facts.run, "netns").iterdir())) == 2

    lab.do(lab.networks.remove(ONE))
    assert "composer-test" in rules(lab)
    lab.do(lab.networks.remove(TWO))
    lab.do(lab.networks.remove(TWO))

    assert rules(lab) == ""
    assert ip_forward(lab) == "0"
    assert eventually(lambda: link_names(lab.host) == ["lo", "wan"])
    assert list(Path(lab.facts.run, "netns").iterdir()) == []
    assert not Path(lab.facts.forwarding_record).exists()
    assert lab.store.store == {}


def test_forwarding_that_was_on_stays_on(lab: Lab) -> None:
    lab.host.run("sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward", check=True)
    lab.network(ONE)
    assert 'iifname != "cu*" oifname != "cu*"' not in rules(lab)
    lab.do(lab.networks.remove(ONE))

    assert ip_forward(lab) == "1"


def test_the_last_engine_of_a_machine_puts_forwarding_back(lab: Lab, tmp_path: Path) -> None:
    lab.network(ONE)
    facts = Facts("other", lab.host.pid, str(tmp_path / "other"), True, lab.facts.forwarding_record)
    (tmp_path / "other").mkdir()
    with lab.host.inside():
        other = Networks(lab.jobs, MemoryStore(), facts)
    net = IPv4Network("172.30.0.0/24")
    lab.do(other.create(NetworkSpec(TWO, "q", net, net[1])))
    assert 'iifname != "cu*" oifname != "cu*"' in lab.host.run("nft", "list", "table", "ip", "composer-other").stdout

    lab.do(lab.networks.remove(ONE))
    assert ip_forward(lab) == "1"
    lab.do(other.remove(TWO))
    other.close()

    assert ip_forward(lab) == "0"
    assert rules(lab) == ""
    assert not Path(lab.facts.forwarding_record).exists()


class Interrupted(MachineJobs):
    """The jobs of an engine: as it is about to put forwarding back, another one begins."""

    def __init__(self, machine: Machine, other: Callable[[], Coroutine[Any, Any, None]]) -> None:
        super().__init__(machine)
        self._other = other
        self.begun: asyncio.Task[None] | None = None

    async def run(
        self, steps: Sequence[Step], *, clone: Sequence[str] = (), fds: Mapping[str, int] | None = None
    ) -> dict[str, int]:
        if steps == forwarding_steps("0"):
            self.begun = asyncio.create_task(self._other())
            await asyncio.wait([self.begun], timeout=0.2)  # it waits for us
        return await super().run(steps, clone=clone, fds=fds)


def test_an_engine_that_begins_while_the_last_one_ends_has_its_forwarding(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    net = IPv4Network("172.30.0.0/24")
    others = Facts("other", lab.host.pid, str(tmp_path / "other"), True, lab.facts.forwarding_record)
    with lab.host.inside():
        other = Networks(lab.jobs, MemoryStore(), others)
        jobs = Interrupted(lab.host, lambda: other.create(NetworkSpec(TWO, "q", net, net[1])))
        ending = Networks(jobs, lab.store, lab.facts)

    async def scenario() -> None:
        await ending.create(NetworkSpec(ONE, "p", net, net[1]))
        await ending.remove(ONE)
        assert jobs.begun is not None
        await jobs.begun
        forwards = ip_forward(lab)
        await other.remove(TWO)

        assert forwards == "1"

    lab.do(scenario())
    other.close()
    ending.close()

    assert ip_forward(lab) == "0"
    assert not list(Path(lab.facts.forwarding_record).parent.glob("ip_forward*"))


def test_a_pinned_network_is_found_again_after_the_keeper_was_lost(lab: Lab) -> None:
    spec = lab.network(ONE)
    container = lab.container("c1", (spec, "172.30.0.2"))
    uplink = lab.networks.uplink(ONE)
    lab.store.close()
    with lab.host.inside():
        networks = Networks(lab.jobs, lab.store, lab.facts)
    assert not networks.alive(ONE)

    lab.do(networks.adopt([ONE, TWO]))

    assert networks.alive(ONE)
    assert not networks.alive(TWO)
    assert networks.uplink(ONE) == uplink
    assert reaches(container, OUTSIDE)
    networks.close()


def test_adoption_without_networks_gives_the_host_back(lab: Lab) -> None:
    lab.network(ONE)
    lab.do(lab.store.drop(f"netns/{ONE}"))
    lab.host.job(topology.remove_steps(ONE, lab.facts))

    lab.do(lab.networks.adopt([ONE]))

    assert rules(lab) == ""
    assert ip_forward(lab) == "0"


def test_a_pair_of_uplink_addresses_is_never_given_out_twice(lab: Lab) -> None:
    net = IPv4Network("172.30.0.0/24")
    first = topology.Uplink(5)
    Path(lab.facts.run, "netns").mkdir()
    lab.host.job(
        topology.network_steps(NetworkSpec(ONE, "p", net, net[1]), lab.facts, first),
        clone=("net",),
        fds={topology.HOST: lab.host.netns},
    )

    with pytest.raises(ContainerError) as caught:
        lab.host.job(
            topology.network_steps(NetworkSpec(TWO, "q", net, net[1]), lab.facts, first),
            clone=("net",),
            fds={topology.HOST: lab.host.netns},
        )

    assert caught.value.errno in (16, 17)


def test_without_privileges_there_is_no_uplink_and_the_host_is_not_touched(tmp_path: Path) -> None:
    with ExitStack() as stack:
        lab = Lab(stack, tmp_path, privileged=False)
        net = lab.network(ONE)
        one, two = lab.container("c1", (net, "172.30.0.2")), lab.container("c2", (net, "172.30.0.3"))

        assert reaches(one, "172.30.0.3")
        assert not reaches(two, OUTSIDE), "nobody may answer in its name"
        assert rules(lab) == ""
        assert link_names(lab.host) == ["lo", "wan"]
        assert list(tmp_path.iterdir()) == []
