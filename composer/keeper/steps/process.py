"""What the process is allowed, and the program that it becomes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Hostname:
    """`sethostname(2)` and, if given, `setdomainname(2)`."""

    name: str
    domain: str = ""


@dataclass(frozen=True, slots=True)
class ResourceLimit:
    """`setrlimit(2)`; `kind` is `NOFILE`, `NPROC`, ...; a hard limit above what is allowed is an error."""

    kind: str
    soft: int
    hard: int


@dataclass(frozen=True, slots=True)
class OomScore:
    """Write `oom_score_adj` (`proc(5)`)."""

    value: int


@dataclass(frozen=True, slots=True)
class Terminal:
    """Open a pty inside the container, make it our controlling terminal and our stdio, send the master up as `pty`.

    Its slave belongs to `uid` and is also bound at `/dev/console` where `console` is set.
    """

    uid: int = 0
    rows: int = 24
    columns: int = 80
    console: bool = True


@dataclass(frozen=True, slots=True)
class WorkingDirectory:
    """`chdir(2)`; a missing directory is made for `uid`:`gid` first where `create` is set."""

    path: str
    create: bool = False
    uid: int = 0
    gid: int = 0


@dataclass(frozen=True, slots=True)
class OnlyUser:
    """Enter a user namespace of our own, in which our user and group are `uid` and `gid`, and there are no others.

    `user_namespaces(7)`. Files of ours are theirs there. Before a filter that forbids it, and before `Credentials`.
    """

    uid: int
    gid: int


@dataclass(frozen=True, slots=True)
class NoNewPrivileges:
    """`PR_SET_NO_NEW_PRIVS` (`prctl(2)`)."""


@dataclass(frozen=True, slots=True)
class Seccomp:
    """Install a BPF program (`seccomp(2)`): array of `struct sock_filter`. Needs CAP_SYS_ADMIN or no-new-privileges."""

    program: bytes


@dataclass(frozen=True, slots=True)
class Credentials:
    """Become `uid`:`gid` with `groups` and exactly these capabilities (`capabilities(7)`, `credentials(7)`).

    `bounding` stays in the bounding set; a non-zero uid keeps only `ambient` as effective, as `execve(2)` rules it.
    `groups` None leaves the groups alone (a user namespace that denies `setgroups(2)`).
    """

    uid: int
    gid: int
    groups: tuple[int, ...] | None = ()
    bounding: tuple[int, ...] = ()
    ambient: tuple[int, ...] = ()
    umask: int = 0o022


@dataclass(frozen=True, slots=True)
class Exec:
    """`execve(2)`, `arguments[0]` found in the PATH of `environment`; always the last step.

    Not found is reported as errno ENOENT, not executable as EACCES, so that the caller can say 127 and 126.
    With `init`, this process stays as pid 1: it runs the program as its child, passes signals on, reaps orphans and
    exits with the program's status.
    """

    arguments: tuple[str, ...]
    environment: tuple[str, ...]
    """`NAME=value`, as execve takes them."""
    init: bool = False
