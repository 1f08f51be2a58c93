"""A machine of our own for network tests: namespaces that play the host, the outside and containers.

`Machine` is a network namespace with a process in it; steps run in children of it, as the keeper would run them on a
host, so that nothing of the real host is touched. It performs the few steps that networks are made of, by itself.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import struct
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from composer.errors import ContainerError
from composer.keeper import wire
from composer.keeper.steps import (
    JoinNamespace,
    Netlink,
    PinNamespace,
    ReportNamespace,
    ReportSockets,
    Step,
    Sysctl,
    Unpin,
)
from composer.kernel import clone, libc, namespace

_CLONE = {name: flag for name, flag in namespace.KINDS.items()}
_NLMSG_ERROR = 2


class Child:
    """A process in namespaces of its own that did its steps and now waits; `close` kills it."""

    def __init__(self, pid: int, pidfd: int, reported: dict[str, int]) -> None:
        self.pid = pid
        self.pidfd = pidfd
        self.reported = reported
        self.netns = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)

    def run(self, *command: str, timeout: float = 20, check: bool = False) -> subprocess.CompletedProcess[str]:
        """Run a program in its network namespace."""
        return subprocess.run(
            ["nsenter", f"--net=/proc/self/fd/{self.netns}", *command],
            pass_fds=(self.netns,),
            capture_output=True,
            text=True,
            timeout=timeout,
            check=check,
        )

    @contextlib.contextmanager
    def inside(self) -> Iterator[None]:
        """The calling thread is in the network namespace meanwhile: sockets that are made stay there."""
        with inside(self.netns):
            yield

    def close(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, 0)
        for fd in (self.pidfd, self.netns, *self.reported.values()):
            with contextlib.suppress(OSError):
                os.close(fd)
        self.reported = {}


class Machine(Child):
    """A host: a network namespace of its own; jobs and containers are children that begin in it."""

    def __init__(self) -> None:
        child = spawn((), clone_kinds=("net",))
        super().__init__(child.pid, child.pidfd, {})
        os.close(child.netns)
        self._children: list[Child] = []
        self.jobs = 0
        self.run("ip", "link", "set", "lo", "up", check=True)

    async def run_job(
        self, steps: Sequence[Step], *, clone: Sequence[str] = (), fds: Mapping[str, int] | None = None
    ) -> dict[str, int]:
        """What the engine does through the keeper: perform steps in a child that ends, return what it reported."""
        self.jobs += 1
        child = spawn(steps, clone_kinds=clone, fds=fds or {}, start_in=self.netns)
        reported, child.reported = child.reported, {}
        child.close()
        return reported

    def container(self, steps: Sequence[Step], fds: Mapping[str, int]) -> Child:
        """A container: new network and pid namespace, its init performs the steps and then waits."""
        child = spawn(steps, clone_kinds=("net", "pid"), fds=fds, start_in=self.netns)
        self._children.append(child)
        return child

    def close(self) -> None:
        for child in self._children:
            child.close()
        super().close()


class MachineJobs:
    """`driver.Jobs` over a machine."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    async def run(
        self, steps: Sequence[Step], *, clone: Sequence[str] = (), fds: Mapping[str, int] | None = None
    ) -> dict[str, int]:
        return await self._machine.run_job(steps, clone=clone, fds=fds)


@contextlib.contextmanager
def inside(netns: int) -> Iterator[None]:
    """The calling thread is in a network namespace meanwhile."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        namespace.setns(netns, clone.CLONE_NEWNET)
        try:
            yield
        finally:
            namespace.setns(home, clone.CLONE_NEWNET)
    finally:
        os.close(home)


def spawn(
    steps: Sequence[Step],
    *,
    clone_kinds: Sequence[str],
    fds: Mapping[str, int] | None = None,
    start_in: int = -1,
) -> Child:
    """Clone a child that performs the steps and then waits. Raises ContainerError with the step that failed."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    flags = 0
    for kind in clone_kinds:
        flags |= _CLONE[kind]
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    if start_in >= 0:
        namespace.setns(start_in, clone.CLONE_NEWNET)
    try:
        pid, pidfd = clone.clone3(flags)
        if pid == 0:
            _live(theirs, steps, dict(fds or {}))
    finally:
        namespace.setns(home, clone.CLONE_NEWNET)
        os.close(home)
    theirs.close()
    with ours:
        answer = wire.receive(ours)
    assert answer is not None
    message, received = answer
    child = Child(pid, pidfd, dict(zip(message["names"], received, strict=True)))
    if message["error"]:
        child.close()
        raise ContainerError(message["error"], step=message["step"], errno=message["errno"])
    return child


def _live(channel: socket.socket, steps: Sequence[Step], fds: dict[str, int]) -> None:
    """The child's life; never returns."""
    try:
        reported: dict[str, int] = {}
        message: dict[str, Any] = {"error": "", "step": "", "errno": 0}
        for step in steps:
            try:
                _PERFORM[type(step)](step, fds, reported)
            except Exception as error:
                message |= {"error": f"{step}: {error!r}", "step": type(step).__name__}
                message["errno"] = getattr(error, "errno", 0) or 0
                break
        wire.send(channel, message | {"names": list(reported)}, list(reported.values()))
        # Hold nothing of anybody else's: a namespace or socket that should die must not live on in this child.
        for entry in os.listdir("/proc/self/fd"):
            if int(entry) > 2:
                with contextlib.suppress(OSError):
                    os.close(int(entry))
        while True:
            signal.pause()
    finally:
        os._exit(1)


@contextlib.contextmanager
def _within(name: str, fds: Mapping[str, int]) -> Iterator[None]:
    if not name:
        yield
        return
    with inside(fds[name]):
        yield


def _netlink(step: Netlink, fds: Mapping[str, int], _reported: dict[str, int]) -> None:
    with _within(step.within, fds):
        sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, step.family)
    with sock:
        sock.setsockopt(socket.SOL_SOCKET, 33, 1 << 20)  # SO_RCVBUFFORCE: room for every acknowledgement
        sock.bind((0, 0))
        sock.settimeout(5)
        sock.send(b"".join(step.messages))
        wanted = sum(1 for message in step.messages if struct.unpack_from("=H", message, 6)[0] & 0x4)
        while wanted > 0:
            data = sock.recv(1 << 16)
            while data:
                length, kind = struct.unpack_from("=IH", data)
                if kind == _NLMSG_ERROR:
                    number = -struct.unpack_from("=i", data, 16)[0]
                    if number and number not in step.tolerate:
                        raise OSError(number, os.strerror(number))
                    wanted -= 1
                data = data[length + 3 & ~3 :]


def _sysctl(step: Sysctl, fds: Mapping[str, int], _reported: dict[str, int]) -> None:
    # Interface names may hold dots, so only ours, which do not, are written with them.
    with _within(step.within, fds):
        path = Path("/proc/sys", step.key.replace(".", "/"))
        if step.optional and not path.exists():
            return
        path.write_text(step.value)


def _report_namespace(step: ReportNamespace, _fds: Mapping[str, int], reported: dict[str, int]) -> None:
    reported[step.name] = os.open(f"/proc/self/ns/{step.kind}", os.O_RDONLY | os.O_CLOEXEC)


def _report_sockets(step: ReportSockets, _fds: Mapping[str, int], reported: dict[str, int]) -> None:
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind((step.address, step.port))
    tcp = socket.create_server((step.address, step.port))
    reported[f"{step.name}/udp"], reported[f"{step.name}/tcp"] = udp.detach(), tcp.detach()


def _pin(step: PinNamespace, _fds: Mapping[str, int], _reported: dict[str, int]) -> None:
    Path(step.path).parent.mkdir(parents=True, exist_ok=True)
    Path(step.path).touch()
    libc.call("mount", "/proc/self/ns/net", step.path, None, 0x1000, None)


def _unpin(step: Unpin, _fds: Mapping[str, int], _reported: dict[str, int]) -> None:
    with contextlib.suppress(OSError):
        libc.call("umount2", step.path, 2)
    Path(step.path).unlink(missing_ok=True)


def _join(step: JoinNamespace, fds: Mapping[str, int], _reported: dict[str, int]) -> None:
    namespace.setns(fds[step.fd], namespace.KINDS[step.kind])


_PERFORM: dict[type[Any], Callable[[Any, Mapping[str, int], dict[str, int]], None]] = {
    Netlink: _netlink,
    Sysctl: _sysctl,
    ReportNamespace: _report_namespace,
    ReportSockets: _report_sockets,
    PinNamespace: _pin,
    Unpin: _unpin,
    JoinNamespace: _join,
}


def link_names(where: Child) -> list[str]:
    """The links in a namespace, without what kernel modules put into every one."""
    links = json.loads(where.run("ip", "-j", "link", check=True).stdout)
    return sorted(
        one["ifname"] for one in links if not one["ifname"].startswith(("tunl", "sit", "ip6", "gre", "erspan"))
    )


def eventually(claim: Callable[[], bool], seconds: float = 5) -> bool:
    """Whether the claim comes true in time: namespaces die in the background."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if claim():
            return True
        time.sleep(0.02)
    return claim()
