"""Networks and containers attached to them, with real namespaces on a machine of our own."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import ExitStack
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from pathlib import Path

import pytest

from composer.network import topology
from composer.network.spec import Facts, Interface, NetworkSpec
from tests.fakes.links import Child, Machine, eventually, link_names

pytestmark = pytest.mark.kernel


class Lab:
    """A host, an outside reachable through it, networks and containers."""

    def __init__(self, stack: ExitStack, run: Path) -> None:
        self._stack = stack
        self.host, self.outside = Machine(), Machine()
        stack.callback(self.host.close)
        stack.callback(self.outside.close)
        self.facts = Facts("test", self.host.pid, str(run), privileged=True)
        self.netns: dict[str, int] = {}
        wire = ["ip", "link", "add", "wan", "type", "veth", "peer", "name", "wan", "netns", str(self.outside.pid)]
        self.host.run(*wire, check=True)
        for machine, address in ((self.host, "192.0.2.1/24"), (self.outside, "192.0.2.9/24")):
            machine.run("ip", "addr", "add", address, "dev", "wan", check=True)
            machine.run("ip", "link", "set", "wan", "up", check=True)

    def network(self, network_id: str, subnet: str = "172.30.0.0/24", *, slot: int | None = 0) -> NetworkSpec:
        net = IPv4Network(subnet)
        spec = NetworkSpec(network_id, f"p_{network_id}", net, net[1], internal=slot is None, uplink=slot is not None)
        uplink = None if slot is None else topology.Uplink(slot)
        steps = topology.network_steps(spec, self.facts, uplink)
        fds = {topology.HOST: self.host.netns}
        reported = asyncio.run(self.host.run_job(steps, clone=("net",), fds=fds))
        self.netns[network_id] = reported[f"netns/{network_id}"]
        self._stack.callback(self.remove, network_id)
        return spec

    def remove(self, network_id: str) -> None:
        if (fd := self.netns.pop(network_id, -1)) >= 0:
            os.close(fd)
            asyncio.run(self.host.run_job(topology.remove_steps(network_id, self.facts)))

    def setup_host(self, *forwards: topology.Forward, closed: bool = False) -> None:
        asyncio.run(self.host.run_job(topology.host_steps(self.facts, forwards, closed=closed)))

    def container(self, container_id: str, *places: tuple[NetworkSpec, str], start: int = 0) -> Child:
        interfaces = [
            Interface(
                f"eth{n}",
                spec.id,
                IPv4Interface(f"{address}/{spec.subnet.prefixlen}"),
                spec.gateway if spec.uplink else None,
                default_route=n == 0,
            )
            for n, (spec, address) in enumerate(places)
        ]
        fds = {f"netns/{key}": fd for key, fd in self.netns.items()}
        return self.host.container(topology.attach_steps(container_id, interfaces, start=start), fds)


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    with ExitStack() as stack:
        yield Lab(stack, tmp_path)


def reaches(container: Child, address: str) -> bool:
    return container.run("busybox", "ping", "-c1", "-W1", address).returncode == 0


def test_two_containers_of_one_network_reach_each_other(lab: Lab) -> None:
    net = lab.network("aaaaaaaaaaaa")
    one, two = lab.container("c1", (net, "172.30.0.2")), lab.container("c2", (net, "172.30.0.3"))

    assert reaches(one, "172.30.0.3")
    assert reaches(two, "172.30.0.2")
    assert link_names(one) == ["eth0", "lo"]


def test_a_container_reaches_the_outside_through_the_host(lab: Lab) -> None:
    lab.setup_host()
    container = lab.container("c1", (lab.network("aaaaaaaaaaaa"), "172.30.0.2"))

    assert reaches(container, "192.0.2.9")
