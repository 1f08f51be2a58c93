"""What the data plane is to do: the keeper's items, put and dropped.

    port/<container id>/<protocol>/<host ip>/<host port>    fds: bound socket, network's namespace
        {"proto": "tcp" | "udp", "target": [address, port]}
    dns/<container id>                                      fds: UDP socket, listening TCP socket
        {"networks": [network id, ...], "search": [domain, ...], "upstream": [address, ...]}
    zone/<network id>                                       no fds
        {"names": {name: [address, ...]}, "reverse": {address: name}, "name": network, "internal": bool}

Putting an item again replaces it: new connections follow it, those under way go on. A bad item is reported and left
out; everything else goes on. One that is told to `retire` serves what is under way, and ends with the last of it.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from composer.keeper import wire
from composer.network import resolv
from composer.network.dataplane.dns import Resolver
from composer.network.dataplane.flow import Pipes
from composer.network.dataplane.forward import Forwarder
from composer.network.dataplane.inside import Inside
from composer.network.dataplane.loop import Loop
from composer.network.dataplane.names import Zone
from composer.network.dataplane.tcp import TcpRelay
from composer.network.dataplane.udp import UdpRelay

_ANSWERED_WITHIN = 2.5
"""Seconds in which every question that was heard has been answered."""
_LOOK_AGAIN = 1.0


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

    def serve(self, channel: socket.socket) -> None:
        """Follow the keeper's messages until it closes the channel."""
        channel.setblocking(False)
        self._loop.watch(channel.fileno(), lambda _mask: self._on_message(channel))
        self._loop.run()

    def put(self, name: str, meta: Mapping[str, Any], fds: Sequence[int]) -> None:
        """Serve an item from now on. Raises ValueError, KeyError or TypeError for a bad one, whose fds stay the caller's."""
        kind, _, key = name.partition("/")
        if kind == "zone":
            self._zones[key] = Zone(meta)
        elif kind == "dns":
            self._put_resolver(name, meta, *_pair(fds))
        elif kind == "port":
            self._put_port(name, meta, *_pair(fds))
        else:
            raise ValueError(f"`{name}` is nothing the data plane knows")

    def drop(self, name: str) -> None:
        """Stop serving an item; one that is not there is fine."""
        if relay := self._relays.pop(name, None):
            relay.close()
        if resolver := self._resolvers.pop(name, None):
            resolver.close()
        if name.startswith("zone/"):
            self._zones.pop(name.removeprefix("zone/"), None)

    def retire(self) -> None:
        """Leave what is new to another data plane; end when what is under way has ended."""
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
        sockets = (socket.socket(fileno=udp), socket.socket(fileno=tcp))
        if former := self._resolvers.pop(name, None):
            former.close()
        self._resolvers[name] = Resolver(
            self._loop, self._forwarder, self._zones, self._upstream.current, sockets, meta
        )

    def _put_port(self, name: str, meta: Mapping[str, Any], bound: int, netns: int) -> None:
        protocol, (host, port) = meta["proto"], meta["target"]
        target = (str(host), int(port))
        listener, inside = socket.socket(fileno=bound), Inside(netns)
        former = self._relays.get(name)
        if former is not None:
            former.replace(listener, inside, target)
        elif protocol == "udp":
            self._relays[name] = UdpRelay(self._loop, listener, inside, target)
        else:
            self._relays[name] = TcpRelay(self._loop, self._pipes, listener, inside, target)

    def _on_message(self, channel: socket.socket) -> None:
        try:
            received = wire.receive(channel)
        except BlockingIOError:
            return
        if received is None:
            self._loop.stop()
            return
        message, fds = received
        try:
            if message.get("do") == "put":
                self.put(str(message["name"]), message.get("meta", {}), fds)
            elif message.get("do") == "drop":
                self.drop(str(message["name"]))
            elif message.get("do") == "retire":
                self.retire()
            else:
                raise ValueError("neither put, drop nor retire")
        except (ValueError, KeyError, TypeError) as error:
            sys.stderr.write(f"data plane: cannot serve {message}: {error!r}\n")
            for fd in fds:
                os.close(fd)
        except OSError as error:  # the descriptors have been taken over by now
            sys.stderr.write(f"data plane: cannot serve {message}: {error!r}\n")


def _pair(fds: Sequence[int]) -> tuple[int, int]:
    first, second = fds
    return first, second
