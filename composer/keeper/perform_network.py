"""Steps that concern network namespaces: netlink messages, sysctls, namespaces and sockets to pass up or pin."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from composer.keeper import netlink
from composer.keeper.context import Context, Table
from composer.keeper.steps import JoinNamespace, Netlink, PinNamespace, ReportNamespace, ReportSockets, Sysctl, Unpin
from composer.kernel import mount
from composer.kernel.clone import CLONE_NEWNET
from composer.kernel.namespace import KINDS, setns

_IP_TRANSPARENT, _IP_RECVORIGDSTADDR = 19, 20  # ip(7); the socket module has no names for them


def _join(context: Context, step: JoinNamespace) -> None:
    setns(context.fd(step.fd), KINDS[step.kind])


def _send(context: Context, step: Netlink) -> None:
    with _within(context, step.within):
        sock = netlink.connect(step.family)
    # Sent from our own namespace again: a message may name a pid to mean that process's namespace, and ours too.
    netlink.send(sock, step.messages, frozenset(step.tolerate))
    # Left for our exec or exit to close: after rules were deleted that waits for an RCU grace period, 5 to 10 ms.
    sock.detach()


def _set(context: Context, step: Sysctl) -> None:
    with _within(context, step.within):
        _write_sysctl(step)


def _report_namespace(context: Context, step: ReportNamespace) -> None:
    own = os.open(f"/proc/self/ns/{step.kind}", os.O_RDONLY)
    context.report({step.name: own})
    os.close(own)


def _pin(_context: Context, step: PinNamespace) -> None:
    os.close(os.open(step.path, os.O_CREAT | os.O_RDONLY, 0o600))
    mount.mount("/proc/self/ns/net", step.path, "", mount.MS_BIND)


@contextmanager
def _within(context: Context, name: str) -> Iterator[None]:
    """Be in the network namespace that came as `name` for a while; "" is our own."""
    if not name:
        yield
        return
    own = os.open("/proc/self/ns/net", os.O_RDONLY)
    try:
        setns(context.fd(name), CLONE_NEWNET)
        try:
            yield
        finally:
            setns(own, CLONE_NEWNET)
    finally:
        os.close(own)


def _write_sysctl(step: Sysctl) -> None:
    # A dot separates, but interface names may hold one: there the key is written with slashes already (sysctl(8)).
    key = step.key if "/" in step.key else step.key.replace(".", "/")
    try:
        fd = os.open(f"/proc/sys/{key}", os.O_WRONLY)
    except FileNotFoundError:
        if step.optional:
            return
        raise OSError(errno.ENOENT, "there is no such setting in the container's namespaces") from None
    try:
        os.write(fd, step.value.encode())
    finally:
        os.close(fd)


def _unpin(_context: Context, step: Unpin) -> None:
    try:
        mount.umount2(step.path, mount.MNT_DETACH | mount.UMOUNT_NOFOLLOW)
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.EINVAL):  # EINVAL: not a mount point (any more)
            raise
    Path(step.path).unlink(missing_ok=True)


def _report_sockets(context: Context, step: ReportSockets) -> None:
    address = (step.address, step.port)
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
        socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp,
    ):
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if step.transparent:
            for sock in (udp, tcp):
                sock.setsockopt(socket.SOL_IP, _IP_TRANSPARENT, 1)
            udp.setsockopt(socket.SOL_IP, _IP_RECVORIGDSTADDR, 1)
        udp.bind(address)
        tcp.bind(address)
        tcp.listen(64)
        context.report({f"{step.name}/udp": udp.fileno(), f"{step.name}/tcp": tcp.fileno()})


NETWORK: Table = {
    JoinNamespace: _join,
    Netlink: _send,
    Sysctl: _set,
    ReportNamespace: _report_namespace,
    PinNamespace: _pin,
    Unpin: _unpin,
    ReportSockets: _report_sockets,
}
