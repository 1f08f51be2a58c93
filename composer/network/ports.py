"""Opens the host's sockets of published ports, and says who has one that is taken.

A published port is an ordinary listening socket (`ss -l` shows it, firewalls see it). Without an address it is two:
`0.0.0.0` and `[::]`, the latter for IPv6 only, so that either can be taken by itself (`ipv6(7)`, IPV6_V6ONLY).
"""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from composer.errors import HostError, UsageError

BACKLOG = 4096
"""Connections that wait while nobody accepts; the kernel caps it at `net.core.somaxconn`."""
_EPHEMERAL_TRIES = 16
_LISTEN, _UNCONNECTED = "0A", "07"

Lookup = Callable[[str, str, int], str]
"""(protocol, host ip, port) -> who of our own has it, in words, or ""."""


@dataclass(frozen=True, slots=True)
class Listening:
    """A published port, opened; whoever gets it closes the sockets or gives them away."""

    port: int
    sockets: tuple[tuple[str, socket.socket], ...]
    """Each with the host ip it is bound to."""

    def close(self) -> None:
        """Give the port back."""
        for _host_ip, sock in self.sockets:
            sock.close()


def open_published(host_ip: str, ports: Sequence[int], protocol: str, ours: Lookup = lambda *_: "") -> Listening:
    """The first of `ports` that is free, opened; none given means any free one.

    `host_ip` is "" for every address. `ours` knows the published ports of other projects.

    Raises:
        HostError: every one of the ports is taken, not allowed, or the address is not of this machine.
        UsageError: `host_ip` is no address.
    """
    addresses = _addresses(host_ip)
    taken: OSError | None = None
    for port in ports or [0] * _EPHEMERAL_TRIES:
        try:
            return _open(addresses, port, protocol)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise _refusal(host_ip, port, protocol, error) from error
            taken = error
    raise _taken(host_ip, ports, protocol, ours) from taken


def close_for_all(published: int, protocol: str) -> None:
    """Give a port back whoever else has its socket, of which `published` is a descriptor. Twice is fine.

    A process that is just being started has a copy of all that its parent holds, and the data plane lets go a little later
    than it is told to. A listener that is shut down is none any more (`shutdown(2)` of Linux); a UDP socket has no such state.
    """
    if protocol == "tcp":
        with socket.socket(fileno=os.dup(published)) as listener, contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)


def is_free(host_ip: str, port: int) -> bool:
    """Whether `open_published` could have a UDP port of an address that it gave out before."""
    try:
        _bind(host_ip, port, "udp").close()
    except OSError as error:
        return error.errno != errno.EADDRINUSE
    return True


def holder(protocol: str, port: int, proc: Path = Path("/proc")) -> str:
    """Who has a port of this machine, like `nginx` (pid 812), as far as we may see; "" if nobody is found."""
    inodes = _inodes(protocol, port, proc)
    for process in proc.iterdir() if inodes else ():
        if not process.name.isdigit():
            continue
        if not inodes.isdisjoint(_open_files(process)):
            return f"`{_command(process)}` (pid {process.name})"
    return "a process of another user" if inodes else ""


def _addresses(host_ip: str) -> tuple[str, ...]:
    if not host_ip:
        return ("0.0.0.0", "::")
    try:
        return (str(ipaddress.ip_address(host_ip.strip("[]"))),)
    except ValueError as error:
        raise UsageError(f"cannot publish a port on `{host_ip}`: it is no IP address") from error


def _open(addresses: Sequence[str], port: int, protocol: str) -> Listening:
    opened: list[tuple[str, socket.socket]] = []
    try:
        for address in addresses:
            try:
                sock = _bind(address, port, protocol)
            except OSError as error:
                without_ipv6 = error.errno in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)
                if address == "::" and opened and without_ipv6:
                    continue
                raise
            opened.append((address, sock))
            port = sock.getsockname()[1]
    except BaseException:
        for _address, sock in opened:
            sock.close()
        raise
    return Listening(port, tuple(opened))


def _bind(address: str, port: int, protocol: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_DGRAM if protocol == "udp" else socket.SOCK_STREAM)
    try:
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if protocol != "udp":  # a former listener's connections may still be closing; for UDP it would mean sharing
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((address, port))
        if protocol != "udp":
            sock.listen(BACKLOG)
    except BaseException:
        sock.close()
        raise
    return sock


def _taken(host_ip: str, ports: Sequence[int], protocol: str, ours: Lookup) -> HostError:
    hint = "stop what has it, or publish another host port"
    if len(ports) > 1:
        text = f"cannot publish any of ports `{ports[0]}-{ports[-1]}/{protocol}`: all are taken"
        return HostError(text, hint="publish a larger range, or none at all for any free port")
    if not ports:
        return HostError(f"cannot publish a port: no {protocol} port of this machine is free")
    who = ours(protocol, host_ip, ports[0]) or holder(protocol, ports[0])
    return HostError(
        f"cannot publish port `{_spelled(host_ip, ports[0])}/{protocol}`: {who or 'another process'} has it", hint=hint
    )


def _refusal(host_ip: str, port: int, protocol: str, error: OSError) -> HostError:
    what = f"cannot publish port `{_spelled(host_ip, port)}/{protocol}`"
    if error.errno in (errno.EACCES, errno.EPERM):
        return HostError(
            f"{what}: ports below {_first_free_port()} need privileges",
            hint="publish a higher host port, or let root run `sysctl net.ipv4.ip_unprivileged_port_start=80`",
        )
    if error.errno == errno.EADDRNOTAVAIL:
        return HostError(f"{what}: this machine has no such address", hint="use one that `ip address` shows, or none")
    return HostError(f"{what}: {os.strerror(error.errno or 0).lower()}")


def _spelled(host_ip: str, port: int) -> str:
    if not host_ip:
        return str(port)
    return f"[{host_ip.strip('[]')}]:{port}" if ":" in host_ip else f"{host_ip}:{port}"


def _first_free_port() -> str:
    try:
        return Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text().strip()
    except OSError:
        return "1024"


def _open_files(process: Path) -> Iterator[str]:
    """What the descriptors of a process lead to; nothing of one that is gone or another user's."""
    with contextlib.suppress(OSError):
        for link in (process / "fd").iterdir():
            with contextlib.suppress(OSError):
                yield str(link.readlink())


def _command(process: Path) -> str:
    try:
        return (process / "comm").read_text().strip()
    except OSError:
        return "?"


def _inodes(protocol: str, port: int, proc: Path) -> set[str]:
    """`socket:[inode]` of every socket bound to the port, from `/proc/net/{tcp,udp}` and their IPv6 twins (proc(5))."""
    wanted = _UNCONNECTED if protocol == "udp" else _LISTEN
    inodes = set()
    for table in (proc / f"net/{protocol}", proc / f"net/{protocol}6"):
        try:
            lines = table.read_text().splitlines()[1:]
        except OSError:
            continue
        for fields in map(str.split, lines):
            if fields[3] == wanted and int(fields[1].rpartition(":")[2], 16) == port:
                inodes.add(f"socket:[{fields[9]}]")
    return inodes
