"""A machine of our own for network tests: namespaces that play the host, the outside and containers.

`Machine` is a network namespace with a process in it; steps run in children of it, as the keeper would run them on a
host, so that nothing of the real host is touched.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from composer.errors import ContainerError
from composer.keeper import wire
from composer.keeper.context import Context
from composer.keeper.perform import describe, perform
from composer.keeper.steps import Step
from composer.kernel import clone, namespace
from tests.patience import PATIENCE


class Child:
    """A process in namespaces of its own that did its steps and now waits; `close` kills it."""

    def __init__(self, pid: int, pidfd: int, reported: dict[str, int]) -> None:
        self.pid = pid
        self.pidfd = pidfd
        self.reported = reported
        self.closed = False
        self.netns = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)

    def run(self, *command: str, timeout: float = PATIENCE, check: bool = False) -> subprocess.CompletedProcess[str]:
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
        if self.closed:
            return
        self.closed = True
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, 0)
        self.forget_reported()
        os.close(self.pidfd)
        os.close(self.netns)

    def forget_reported(self) -> None:
        for fd in self.reported.values():
            os.close(fd)
        self.reported = {}


class Machine(Child):
    """A host: a network namespace of its own; jobs and containers are children that begin in it."""

    def __init__(self) -> None:
        child = spawn((), clone_kinds=("net",))
        super().__init__(child.pid, child.pidfd, {})
        os.close(child.netns)
        self._children: list[Child] = []
        self.run("ip", "link", "set", "lo", "up", check=True)
        # A new namespace begins with what the real host has at this moment (`devconf_inherit_init_net`).
        self.run("sh", "-c", "echo 0 > /proc/sys/net/ipv4/ip_forward", check=True)

    def job(
        self, steps: Sequence[Step], *, clone: Sequence[str] = (), fds: Mapping[str, int] | None = None
    ) -> dict[str, int]:
        """What the engine does through the keeper: perform steps in a child that ends, return what it reported."""
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
    """`needs.Jobs` on a machine."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self.count = 0

    async def run(
        self, steps: Sequence[Step], *, clone: Sequence[str] = (), fds: Mapping[str, int] | None = None
    ) -> dict[str, int]:
        self.count += 1
        return self._machine.job(steps, clone=clone, fds=fds)


@dataclass
class HeldItem:
    """What `MemoryStore` has under a name."""

    meta: dict[str, Any]
    fds: tuple[int, ...]


class MemoryStore:
    """`needs.Store` without a keeper; it tells a listener what the keeper would tell the data plane."""

    def __init__(self) -> None:
        self.store: dict[str, HeldItem] = {}
        self.on_change: Callable[[str, HeldItem | None], None] = lambda _name, _item: None

    async def put(self, name: str, meta: dict[str, Any], fds: Sequence[int]) -> None:
        former = self.store.get(name)
        self.store[name] = HeldItem(json.loads(json.dumps(meta)), tuple(os.dup(fd) for fd in fds))
        self.on_change(name, self.store[name])
        for fd in former.fds if former else ():
            os.close(fd)

    async def drop(self, name: str) -> None:
        if former := self.store.pop(name, None):
            self.on_change(name, None)
            for fd in former.fds:
                os.close(fd)

    def close(self) -> None:
        for item in self.store.values():
            for fd in item.fds:
                os.close(fd)
        self.store.clear()


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
        flags |= namespace.KINDS[kind]
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
    child = Child(pid, pidfd, {})
    failure: dict[str, Any] = {}
    with ours:
        while (answer := wire.receive(ours)) is not None:
            message, received = answer
            if "report" in message:
                child.reported.update(zip(message["report"], received, strict=True))
            elif "error" in message:
                failure = message
            else:
                break
    if failure:
        child.close()
        raise ContainerError(failure["error"], step=failure["step"], errno=failure["errno"])
    # Now, and not before: while it performed its steps it was in other networks' namespaces for moments.
    os.close(child.netns)
    child.netns = os.open(f"/proc/{child.pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    return child


def _live(channel: socket.socket, steps: Sequence[Step], fds: dict[str, int]) -> None:
    """The child's life; never returns."""
    try:
        context = Context(channel, fds)
        for step in steps:
            try:
                perform(context, step)
            except Exception as error:
                failure = {"error": f"{describe(step)}: {error}", "step": type(step).__name__}
                wire.send(channel, failure | {"errno": getattr(error, "errno", 0) or 0})
                break
        wire.send(channel, {"done": True})
        # Hold nothing of anybody else's: a namespace or socket that should die must not live on in this child.
        os.closerange(3, 4096)
        while True:
            signal.pause()
    finally:
        os._exit(1)


def link_names(where: Child) -> list[str]:
    """The links in a namespace, without what kernel modules put into every one."""
    links = json.loads(where.run("ip", "-j", "link", check=True).stdout)
    return sorted(
        one["ifname"] for one in links if not one["ifname"].startswith(("tunl", "sit", "ip6", "gre", "erspan"))
    )


def eventually(claim: Callable[[], bool], seconds: float = PATIENCE) -> bool:
    """Whether the claim comes true in time: namespaces die in the background."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if claim():
            return True
        time.sleep(0.02)
    return claim()
