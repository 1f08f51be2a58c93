"""What the data plane is to do: the keeper's items, put and dropped.

    port/<container id>/<protocol>/<host ip>/<host port>    fds: bound socket, network's namespace
        {"proto": "tcp" | "udp", "target": [address, port]}
    out/<network id>/<protocol>                             fds: transparent socket, network's namespace
        {"gateway": address}
    dns/<container id>                                      fds: UDP socket, listening TCP socket
        {"networks": [network id, ...], "search": [domain, ...], "upstream": [address, ...]}
    child/<container id>                                    fd: pidfd of a container that lives
    zone/<network id>                                       no fds
        {"names": {name: [address, ...]}, "reverse": {address: name}, "name": network, "internal": bool}

Putting an item again replaces it: new connections follow it, those under way go on. A bad item is reported and left
out; everything else goes on. One that is told to `retire` serves what is under way, and ends with the last of it.

Of other items (network namespaces, terminals) the descriptors are held, and nothing else: like the keeper and the engine, so that
both of them may die at once. Then the data plane goes on for as long as a container lives; the next keeper connects to its
socket, says `hand over`, and has it all again.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from ipaddress import IPv4Address
from typing import Any

from composer.keeper import wire
from composer.keeper.store import Store
from composer.network import resolv
from composer.network.dataplane.dns import Resolver
from composer.network.dataplane.flow import Pipes
from composer.network.dataplane.forward import Forwarder
from composer.network.dataplane.inside import Inside
from composer.network.dataplane.inward import Inward
from composer.network.dataplane.loop import Loop
from composer.network.dataplane.names import Zone
from composer.network.dataplane.outward import Outward
from composer.network.dataplane.tcp import TcpRelay
from composer.network.dataplane.udp import UdpRelay

_ANSWERED_WITHIN = 2.5
"""Seconds in which every question that was heard has been answered."""
_LOOK_AGAIN = 1.0
_TYPES = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}


class Plane:
    """The items and what serves them."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._pipes = Pipes()
        self._forwarder = Forwarder(loop)
        self._upstream = resolv.HostResolvers()
        self._zones: dict[str, Zone] = {}
        self._relays: dict[str, TcpRelay | UdpRelay] = {}
        self._resolvers: dict[str, Resolver] = {}
        self._store = Store()
        self._channel: socket.socket | None = None
        self._listener: socket.socket | None = None
        self._retired = False

    def serve(self, channel: socket.socket, listener: socket.socket | None = None) -> bool:
        """Follow the keeper's messages until it closes the channel, and then those of the next that comes to `listener`.

        Returns whether that is still ours at the end, rather than a successor's.
        """
        self._follow(channel)
        if listener is not None:
            self._listener = listener
            self._loop.watch(listener.fileno(), lambda _mask: self._on_keeper(listener))
        self._loop.run()
        return not self._retired

    def put(self, name: str, meta: Mapping[str, Any], fds: Sequence[int]) -> None:
        """Serve an item from now on; `fds` stay the caller's.

        Raises ValueError, KeyError, TypeError, AttributeError or OSError for a bad one: then what had the name goes on.
        """
        with contextlib.ExitStack() as undo:
            held = [_duplicate(fd, undo) for fd in fds]
            kind, _, key = name.partition("/")
            if kind == "zone":
                self._zones[key] = Zone(meta)
            elif kind == "dns":
                self._put_resolver(name, meta, *_pair(fds))
            elif kind == "port":
                host, port = meta["target"]
                target = (str(host), int(port))
                self._put_relay(name, str(meta["proto"]), fds, lambda inside: Inward(inside, target))
            elif kind == "out":
                gateway = IPv4Address(meta["gateway"])
                self._put_relay(name, key.rpartition("/")[2], fds, lambda inside: Outward(inside, gateway))
            undo.pop_all()
        self._store.put(name, dict(meta), held)

    def drop(self, name: str) -> None:
        """Stop serving an item; one that is not there is fine."""
        self._store.drop(name)
        if relay := self._relays.pop(name, None):
            relay.close()
        if resolver := self._resolvers.pop(name, None):
            resolver.close()
        if name.startswith("zone/"):
            self._zones.pop(name.removeprefix("zone/"), None)

    def retire(self) -> None:
        """Leave what is new to another data plane; end when what is under way has ended."""
        self._retired = True
        if self._listener is not None:
            self._loop.forget(self._listener.fileno())
            self._listener.close()
        self._store.clear_all()
        for item in self._items:
            item.retire()
        self._loop.later(_ANSWERED_WITHIN, self._leave_when_idle)

    @property
    def _items(self) -> list[TcpRelay | UdpRelay | Resolver]:
        return [*self._relays.values(), *self._resolvers.values()]

    def _leave_when_idle(self) -> None:
        if all(item.is_idle for item in self._items):
            self._loop.stop()
        else:
            self._loop.later(_LOOK_AGAIN, self._leave_when_idle)

    def _put_resolver(self, name: str, meta: Mapping[str, Any], udp: int, tcp: int) -> None:
        with contextlib.ExitStack() as undo:
            sockets = (_socket(udp, "udp", undo), _socket(tcp, "tcp", undo))
            resolver = Resolver(self._loop, self._forwarder, self._zones, self._upstream.current, sockets, meta)
            undo.pop_all()
        if former := self._resolvers.pop(name, None):
            former.close()
        self._resolvers[name] = resolver

    def _put_relay(
        self, name: str, protocol: str, fds: Sequence[int], way_by: Callable[[Inside], Inward | Outward]
    ) -> None:
        bound, netns = _pair(fds)
        with contextlib.ExitStack() as undo:
            listener, way = _socket(bound, protocol, undo), way_by(Inside(_duplicate(netns, undo)))
            former = self._relays.get(name)
            if former is not None:
                former.replace(listener, way)
            elif protocol == "udp":
                self._relays[name] = UdpRelay(self._loop, listener, way)
            else:
                self._relays[name] = TcpRelay(self._loop, self._pipes, listener, way)
            undo.pop_all()

    def _follow(self, channel: socket.socket) -> None:
        channel.setblocking(False)
        self._channel = channel
        self._loop.watch(channel.fileno(), lambda _mask: self._on_message(channel))

    def _on_keeper(self, listener: socket.socket) -> None:
        """Somebody connects: a keeper, or who wants to know whether we are here."""
        try:
            channel, _address = listener.accept()
        except OSError:
            return
        self._loop.watch(channel.fileno(), lambda _mask: self._on_message(channel))

    def _on_lost(self, channel: socket.socket) -> None:
        """The keeper has died: live on as long as a container does. Whoever only looked is let go of."""
        self._loop.forget(channel.fileno())
        channel.close()
        if channel is not self._channel or self._retired:
            return
        self._channel = None
        children = [name for name in self._store if name.startswith("child/")]
        if not children or self._listener is None:
            self._loop.stop()
        for name in children:
            self._await_end(name, self._store[name].fds[0])

    def _await_end(self, name: str, pidfd: int) -> None:
        def ended(_mask: int) -> None:
            self._loop.forget(pidfd)
            if name in self._store and self._store[name].fds[0] == pidfd:
                self._store.drop(name)
            if self._channel is None and not any(name.startswith("child/") for name in self._store):
                self._loop.stop()

        self._loop.watch(pidfd, ended)

    def _hand_over(self, channel: socket.socket) -> None:
        """Give everything to a keeper that has taken the place of one that died, and follow it from now on."""
        channel.setblocking(True)
        for name, held in self._store.items():
            if name.startswith("child/"):
                self._loop.forget(held.fds[0])
            else:
                wire.send(channel, {"name": name, "meta": held.meta}, held.fds)
        wire.send(channel, {"end": True})
        channel.setblocking(False)
        self._channel = channel

    def _on_message(self, channel: socket.socket) -> None:
        try:
            received = wire.receive(channel)
        except BlockingIOError:
            return
        except ValueError as error:
            sys.stderr.write(f"data plane: {error}\n")
            return
        except OSError:
            received = None
        if received is None:
            self._on_lost(channel)
            return
        message, fds = received
        try:
            if message.get("do") == "put":
                self.put(str(message["name"]), message.get("meta", {}), fds)
            elif message.get("do") == "drop":
                self.drop(str(message["name"]))
            elif message.get("do") == "retire":
                self.retire()
            elif message.get("do") == "hand over":
                self._hand_over(channel)
            else:
                raise ValueError("nothing that a data plane does")
        except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
            sys.stderr.write(f"data plane: cannot serve {message}: {error!r}\n")
        finally:
            for fd in fds:
                os.close(fd)


def _duplicate(fd: int, undo: contextlib.ExitStack) -> int:
    duplicate = os.dup(fd)
    undo.callback(os.close, duplicate)
    return duplicate


def _socket(fd: int, protocol: str, undo: contextlib.ExitStack) -> socket.socket:
    """A duplicate of an internet socket. Raises ValueError or OSError for anything else, KeyError for another protocol.

    Not by `socket.dup`: that makes it wait, and with it the original, which may be in use.
    """
    kind = _TYPES[protocol]
    duplicate = os.dup(fd)
    try:
        sock = undo.enter_context(socket.socket(fileno=duplicate))
    except OSError:
        os.close(duplicate)
        raise
    if sock.family not in (socket.AF_INET, socket.AF_INET6) or sock.type != kind:
        raise ValueError(f"{sock.family.name} {sock.type.name} is no socket for {protocol}")
    return sock


def _pair(fds: Sequence[int]) -> tuple[int, int]:
    first, second = fds
    return first, second
