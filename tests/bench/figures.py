"""What is measured. A scenario brings one side through some commands once and says how long each took.

Both sides are measured by the same code; a pair of rounds, one of each, follows another, so that what else the machine
does falls on both.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.bench import building, projects, registry, saving
from tests.bench.peers import Peer, Project

MEMORY_SIZE = 30
CHAIN = 10


@dataclass(frozen=True, slots=True)
class Figure:
    """One row of the table."""

    name: str
    unit: str = "s"
    more_is_better: bool = False


@dataclass(frozen=True, slots=True)
class Scenario:
    """Some figures that are taken together."""

    name: str
    measure: Callable[[Peer], dict[Figure, float]]
    rounds: float = 1.0
    """How often, as a part of the rounds asked for."""
    beside_podman: bool = False
    """Whether Podman is measured, too: where no Compose file is needed."""


def scenarios(sizes: Sequence[int]) -> list[Scenario]:
    """All of them, quick ones first; `sizes` are the numbers of services that are brought up."""
    return [
        Scenario("cli", command_line, rounds=2),
        Scenario("run", one_off, rounds=2),
        *(Scenario(f"up{size}", lifecycle(size), rounds=1 if size <= 10 else 0.5) for size in sizes),
        Scenario("memory", memory, rounds=0.5),
        Scenario("network", network, rounds=0.75),
        Scenario("chain", chain, rounds=0.5),
        Scenario("registry", images, rounds=0.75, beside_podman=True),
        Scenario("build", builds, rounds=0.75),
        Scenario("watch", saves, rounds=0.75),
        Scenario("watchfiles", bursts, rounds=0.5),
    ]


def command_line(peer: Peer) -> dict[Figure, float]:
    """A command that needs no engine."""
    project = Project(peer, "config", projects.large())
    return {
        Figure("compose version"): peer.runner.run((*peer.compose, "version")).seconds,
        Figure("config -q: 50 services, 1,500 lines"): project.compose("config", "-q").seconds,
    }


def one_off(peer: Peer) -> dict[Figure, float]:
    """One container, run to its end and removed; its network is there already."""
    project = Project(peer, "run", projects.one_off())
    taken = project.compose("run", "--rm", "-T", "one", "true").seconds
    figures = {Figure("compose run --rm, one container"): taken}
    plain = ("docker", "run", "--rm", projects.BUSYBOX, "true")
    bare = peer.runner.run(plain).seconds if peer.name == "docker" else taken
    figures[Figure("the same, beside docker run --rm")] = bare
    return figures


def lifecycle(size: int) -> Callable[[Peer], dict[Figure, float]]:
    """A project of `size` idle services, up and down."""

    def measure(peer: Peer) -> dict[Figure, float]:
        with Project(peer, f"up{size}", projects.idle(size)) as project:
            commands = {
                "up -d": ("up", "-d"),
                "up -d, nothing changed": ("up", "-d"),
                "ps": ("ps",),
                "exec": ("exec", "-T", "s0", "true"),
                "restart": ("restart",),
                "down": ("down",),
            }
            return {
                Figure(f"{name}: {size} service{'s' if size > 1 else ''}"): project.compose(*arguments).seconds
                for name, arguments in commands.items()
            }

    return measure


def memory(peer: Peer) -> dict[Figure, float]:
    """The tool's own processes: with nothing running (but after use), and what each container adds."""
    with Project(peer, "memory", projects.idle(MEMORY_SIZE)) as project:
        time.sleep(1)  # what the tool did just before has let its memory go by then
        idle = peer.memory()
        project.compose("up", "-d")
        time.sleep(1)  # the same
        busy = peer.memory()
    return {
        Figure("memory (PSS), nothing running", "MiB"): idle / 1024,
        Figure("memory (PSS), each container", "KiB"): max(0.0, busy - idle) / MEMORY_SIZE,
    }


def network(peer: Peer) -> dict[Figure, float]:
    """Throughput, connections and names."""
    iperf, redis = _free_port(), _free_port()
    with Project(peer, "network", projects.network(iperf, redis)) as project:
        project.compose("up", "-d")
        time.sleep(1.5)  # the servers in the containers listen by then; what is measured must not meet their start
        inside = ("exec", "-T", "client")
        outside = peer.outside

        def number(*argv: str) -> float:
            return float(peer.runner.run((*outside, *argv)).stdout)

        flow = project.compose(*inside, "iperf3", "-c", "throughput", "-t", "2", "-J").stdout
        published = peer.runner.run((*outside, "iperf3", "-c", "127.0.0.1", "-p", str(iperf), "-t", "2", "-J")).stdout
        look_up = project.compose(*inside, "python3", "-c", projects.LOOK_UP, "throughput").stdout
        connect = project.compose(*inside, "python3", "-c", projects.CONNECT, "latency", "6379").stdout
        return {
            Figure("container to container", "Gbit/s", more_is_better=True): _gigabits(flow),
            Figure("host to published port", "Gbit/s", more_is_better=True): _gigabits(published),
            Figure("connect, ask, close: container to container", "us"): float(connect),
            Figure("connect, ask, close: published port", "us"): number(
                "python3", "-c", projects.CONNECT, "127.0.0.1", str(redis)
            ),
            Figure("look up a service's name", "us"): float(look_up),
        }


def chain(peer: Peer) -> dict[Figure, float]:
    """Services that wait for each other's health."""
    with Project(peer, "chain", projects.healthy_chain(CHAIN)) as project:
        return {Figure(f"up -d: a chain of {CHAIN} healthy services"): project.compose("up", "-d").seconds}


def images(peer: Peer) -> dict[Figure, float]:
    """Images from and to a registry."""
    return {Figure(name, unit): value for (name, unit), value in registry.measure(peer).items()}


def builds(peer: Peer) -> dict[Figure, float]:
    """Images from Dockerfiles."""
    return {Figure(name): seconds for name, seconds in building.measure(peer).items()}


def saves(peer: Peer) -> dict[Figure, float]:
    """From a save to what it leads to."""
    return {Figure(name, unit): value for (name, unit), value in saving.saves(peer).items()}


def bursts(peer: Peer) -> dict[Figure, float]:
    """Many files under watch."""
    return {Figure(name, unit): value for (name, unit), value in saving.many_files(peer).items()}


def _gigabits(report: str) -> float:
    return float(json.loads(report)["end"]["sum_received"]["bits_per_second"]) / 1e9


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])
