"""A host with an outside, networks, containers and a data plane, all in namespaces of their own."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Coroutine, Sequence
from contextlib import ExitStack
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from pathlib import Path
from typing import Any, TypeVar

from composer.keeper import wire
from composer.network import items, ports, topology
from composer.network.driver import Networks
from composer.network.spec import Facts, Interface, NetworkSpec
from tests.fakes.links import Child, HeldItem, Machine, MachineJobs, MemoryStore
from tests.patience import PATIENCE

OUTSIDE = "192.0.2.9"
HOST = "192.0.2.1"

T = TypeVar("T")


class Lab:
    """The machine `host`, reached from `outside`, with the driver of an engine on it."""

    def __init__(self, stack: ExitStack, run: Path, *, privileged: bool = True) -> None:
        self.stack = stack
        self.host, self.outside = self._machine(), self._machine()
        wire = ["ip", "link", "add", "wan", "type", "veth", "peer", "name", "wan", "netns", str(self.outside.pid)]
        self.host.run(*wire, check=True)
        for machine, address in ((self.host, HOST), (self.outside, OUTSIDE)):
            machine.run("ip", "addr", "add", f"{address}/24", "dev", "wan", check=True)
            machine.run("ip", "link", "set", "wan", "up", check=True)
        self.facts = Facts("test", self.host.pid, str(run), privileged, str(run / "ip_forward"))
        self.jobs = MachineJobs(self.host)
        self.store = MemoryStore()
        stack.callback(self.store.close)
        with self.host.inside():
            self.networks = Networks(self.jobs, self.store, self.facts)
        stack.callback(self.networks.close)
        stack.callback(self._unpin)
        self.planes = 0
        self._plane: subprocess.Popen[bytes] | None = None

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Run something of the driver, on the host."""
        with self.host.inside():
            return asyncio.run(work)

    def network(self, network_id: str, subnet: str = "172.30.0.0/24", *, internal: bool = False) -> NetworkSpec:
        """A network made by the driver."""
        net = IPv4Network(subnet)
        spec = NetworkSpec(network_id, f"p_{network_id[:4]}", net, net[1], internal=internal, uplink=not internal)
        self.do(self.networks.create(spec))
        return spec

    def container(self, container_id: str, *places: tuple[NetworkSpec, str], start: int = 0) -> Child:
        """A container on these networks, the first of them its way out; it answers no DNS until `serve_names`."""
        interfaces = [
            Interface(
                f"eth{n}",
                spec.id,
                IPv4Interface(f"{address}/{spec.subnet.prefixlen}"),
                None if spec.internal else spec.gateway,
                default_route=n == 0,
            )
            for n, (spec, address) in enumerate(places)
        ]
        steps = self.networks.attach_steps(container_id, interfaces, start=start)
        return self.host.container(steps, self.networks.descriptors(spec.id for spec, _address in places))

    def names(self, container_id: str, container: Child, *networks: NetworkSpec, search: Sequence[str] = ()) -> None:
        """Let the data plane answer the container's DNS."""
        ids = [spec.id for spec in networks]
        self.do(self.networks.serve_names(container_id, container.reported, ids, search))
        container.forget_reported()

    def zone(self, spec: NetworkSpec, **names: str) -> None:
        """The network's names: `web="10.0.0.2"`, several addresses with blanks between."""
        records = [
            items.Record(IPv4Address(address), f"{name}-{n}", (name,))
            for name, addresses in names.items()
            for n, address in enumerate(addresses.split(), 1)
        ]
        self.do(self.networks.set_zone(spec.id, spec.name, records, internal=spec.internal))

    def publish(
        self,
        container_id: str,
        spec: NetworkSpec,
        target: str,
        *,
        port: int,
        to: int,
        protocol: str = "tcp",
        ip: str = "",
    ) -> ports.Listening:
        """Publish a port of the container at `target`."""
        with self.host.inside():
            opened = ports.open_published(ip, [port] if port else [], protocol)
        self.do(self.networks.ports.publish(container_id, spec.id, IPv4Address(target), to, protocol, opened))
        return opened

    def without_accelerator(self) -> None:
        """Take the kernel's own translation away, so that only the relay is left."""
        for name in ("published", "published_on"):
            self.host.run("nft", "flush", "map", "ip", "composer-test", name, check=True)

    def start_plane(self) -> subprocess.Popen[bytes]:
        """The data plane, given every item as the keeper would."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        command = [sys.executable, "-m", "composer.network.dataplane", str(theirs.fileno())]
        with self.host.inside():
            plane = subprocess.Popen(command, pass_fds=[theirs.fileno()])
        theirs.close()
        self._plane = plane
        self.planes += 1
        self.store.on_change = lambda name, item: _tell(ours, name, item)
        for name, item in self.store.store.items():
            _tell(ours, name, item)
        self.stack.callback(_end, plane, ours)
        return plane

    def _machine(self) -> Machine:
        machine = Machine()
        self.stack.callback(machine.close)
        return machine

    def _unpin(self) -> None:
        for path in Path(self.facts.run, "netns").glob("*"):
            self.host.job(topology.remove_steps(path.name, self.facts))


class Server:
    """A program in a container, played by a thread: `serve` gets each connection, or each datagram with its sender."""

    def __init__(
        self, where: Child, port: int, *, protocol: str = "tcp", serve: Callable[..., None], ip: str = ""
    ) -> None:
        with where.inside():
            if protocol == "tcp":
                self.socket = socket.create_server((ip, port))
            else:
                self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                self.socket.bind((ip, port))
        self._serve = serve
        threading.Thread(target=self._tcp if protocol == "tcp" else self._udp, daemon=True).start()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()

    def _tcp(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, peer = self.socket.accept()
                threading.Thread(target=self._one, args=(connection, peer), daemon=True).start()

    def _one(self, connection: socket.socket, peer: tuple[str, int]) -> None:
        with connection, contextlib.suppress(OSError):
            self._serve(connection, peer)

    def _udp(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                data, peer = self.socket.recvfrom(65535)
                if peer is None:  # shut down
                    return
                self._serve(self.socket, data, peer)


def serve(
    lab: Lab, where: Child, port: int, behaviour: Callable[..., None] | None = None, protocol: str = "tcp", ip: str = ""
) -> Server:
    """A server that ends with the lab; it echoes what comes unless told otherwise."""
    server = Server(where, port, serve=behaviour or echo, protocol=protocol, ip=ip)
    lab.stack.callback(server.close)
    return server


def echo(connection: socket.socket, _peer: object) -> None:
    """Send back what comes, until its end."""
    while data := connection.recv(1 << 16):
        connection.sendall(data)


def who(connection: socket.socket, peer: tuple[str, int]) -> None:
    """Say whom we see at the other end."""
    read_all(connection)
    connection.sendall(peer[0].encode())


def datagram_echo(sock: socket.socket, data: bytes, peer: tuple[str, int]) -> None:
    """Send a datagram back."""
    sock.sendto(data, peer)


def connect(where: Child, address: str, port: int) -> socket.socket:
    """A connection from inside a namespace."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with where.inside():
        sock = socket.socket(family, socket.SOCK_STREAM)
    sock.settimeout(PATIENCE)
    try:
        sock.connect((address, port))
    except OSError:
        sock.close()
        raise
    return sock


def ask(where: Child, address: str, port: int, question: bytes = b"hello") -> bytes:
    """What a server answers until the end of the connection, after our own end."""
    with connect(where, address, port) as sock:
        sock.sendall(question)
        sock.shutdown(socket.SHUT_WR)
        return read_all(sock)


def says(word: str) -> Callable[[socket.socket, object], None]:
    """A server that answers `word` to anything."""

    def serve(connection: socket.socket, _peer: object) -> None:
        read_all(connection)
        connection.sendall(word.encode())

    return serve


def read_all(sock: socket.socket) -> bytes:
    """Everything until the end."""
    parts = []
    while part := sock.recv(1 << 16):
        parts.append(part)
    return b"".join(parts)


def reaches(container: Child, address: str) -> bool:
    """Whether a ping is answered; a busy machine may take its time, so it is asked more than once."""
    return any(container.run("busybox", "ping", "-c1", "-W1", address).returncode == 0 for _attempt in range(3))


def _tell(channel: socket.socket, name: str, item: HeldItem | None) -> None:
    if not name.startswith(("port/", "out/", "dns/", "zone/")):
        return
    with contextlib.suppress(BrokenPipeError):  # it was killed; the next one is told everything
        if item is None:
            wire.send(channel, {"do": "drop", "name": name})
        else:
            wire.send(channel, {"do": "put", "name": name, "meta": dict(item.meta)}, item.fds)


def _end(plane: subprocess.Popen[bytes], channel: socket.socket) -> None:
    channel.close()
    try:
        plane.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        plane.kill()
        plane.wait()
        raise


def open_files(pid: int) -> int:
    """How many descriptors a process has."""
    return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
