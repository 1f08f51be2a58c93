"""A build as data: the operations, each on top of what others made, and the graph of them.

An operation that makes a layer has a `base`: the vertex whose root file system it changes. What it reads besides are
`sources`. The graph holds nothing but what the target needs, in an order in which everything comes after its inputs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from composer.build.dockerfile.source import Span
from composer.build.options import Limit
from composer.image.image import Image
from composer.oci.config import ImageConfig

VertexId = int


class SourceKind(StrEnum):
    """Where files that a step reads come from."""

    CONTEXT = "context"
    """The build's context, or one of the additional ones: `name`."""
    STAGE = "stage"
    """The root file system of another vertex."""
    INLINE = "inline"
    """Files whose content stands in the Dockerfile."""
    REMOTE = "remote"
    """An URL or a git repository: `name`."""


@dataclass(frozen=True, slots=True)
class Source:
    """One tree that a step reads."""

    kind: SourceKind
    name: str = ""
    """Of a context; "" is the build's own. The URL of a remote one."""
    vertex: VertexId = -1
    files: tuple[tuple[str, bytes], ...] = ()
    """(name, content) of inline ones."""
    checksum: str = ""
    keep_git_dir: bool | None = None


@dataclass(frozen=True, slots=True)
class BaseOperation:
    """The layers of an image, or none at all for `scratch`."""

    image: Image | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """What one COPY takes from one tree."""

    source: Source
    patterns: tuple[str, ...]
    unpack: bool = False
    """Whether archives among these files are unpacked."""


@dataclass(frozen=True, slots=True)
class CopyOperation:
    """COPY and ADD: files into the root file system."""

    parts: tuple[Part, ...]
    destination: str
    """Absolute; ends with a slash where it must be a directory."""
    owner: str = ""
    mode: str = ""
    excludes: tuple[str, ...] = ()
    parents: bool = False
    link: bool = False


@dataclass(frozen=True, slots=True)
class WorkdirOperation:
    """WORKDIR: a directory, made with its parents if missing."""

    path: str
    user: str = ""


class MountKind(StrEnum):
    """What `RUN --mount=type=` may say."""

    BIND = "bind"
    CACHE = "cache"
    TMPFS = "tmpfs"
    SECRET = "secret"
    SSH = "ssh"


class Sharing(StrEnum):
    """Who may use a cache mount at the same time."""

    SHARED = "shared"
    PRIVATE = "private"
    LOCKED = "locked"


@dataclass(frozen=True, slots=True)
class RunMount:
    """One mount of a RUN, with all that was left unsaid filled in."""

    kind: MountKind
    target: str = ""
    """Absolute; "" for a secret that is an environment variable only."""
    source: Source | None = None
    """Of a bind, or what a cache begins with."""
    path: str = "/"
    """Inside the source."""
    id: str = ""
    sharing: Sharing = Sharing.SHARED
    read_only: bool = False
    size: int = 0
    mode: int = 0
    uid: int = 0
    gid: int = 0
    required: bool = False
    variable: str = ""
    """The environment variable that a secret becomes."""


@dataclass(frozen=True, slots=True)
class RunOperation:
    """RUN: a process in the root file system."""

    argv: tuple[str, ...]
    environment: tuple[tuple[str, str], ...]
    """What the cache key covers: ENV and the ARGs in effect."""
    proxies: tuple[tuple[str, str], ...] = ()
    """Predefined proxy arguments: given to the process, no part of key and history."""
    cwd: str = "/"
    user: str = ""
    mounts: tuple[RunMount, ...] = ()
    network: str = "default"
    insecure: bool = False
    script: tuple[str, bytes] | None = None
    """(path, content) of a heredoc that is a program of its own."""
    extra_hosts: tuple[tuple[str, str], ...] = ()
    shm_size: int = 0
    ulimits: tuple[Limit, ...] = ()
    hostname: str = ""


LayerOperation = CopyOperation | WorkdirOperation | RunOperation
Operation = BaseOperation | LayerOperation


@dataclass(frozen=True, slots=True)
class Vertex:
    """One operation and what it works on."""

    id: VertexId
    name: str
    """For people: `[web 3/7] RUN make`."""
    operation: Operation
    base: VertexId = -1
    span: Span | None = None
    place: str = ""
    """Which step of which stage it is: `web/3`, the same from build to build."""
    fresh: bool = False
    """Run it again, whatever the cache has."""

    @property
    def readings(self) -> tuple[Part | RunMount, ...]:
        """What it reads besides its base, in order."""
        match self.operation:
            case CopyOperation(parts=parts):
                return parts
            case RunOperation(mounts=mounts):
                return tuple(mount for mount in mounts if mount.source is not None)
            case _:
                return ()

    @property
    def inputs(self) -> tuple[VertexId, ...]:
        """Every vertex it needs."""
        found = [one.source.vertex for one in self.readings if one.source and one.source.kind is SourceKind.STAGE]
        return tuple(dict.fromkeys([self.base, *found] if self.base >= 0 else found))


@dataclass(frozen=True, slots=True)
class Change:
    """One entry of the new image's history; `vertex` made its layer, -1 for a change of the config alone."""

    created_by: str
    vertex: VertexId = -1


@dataclass(frozen=True, slots=True)
class Graph:
    """Everything a target needs, and what its image says of itself."""

    vertices: tuple[Vertex, ...]
    target: VertexId
    config: ImageConfig
    """Without the new layers and their history."""
    changes: tuple[Change, ...] = field(default=())
    epoch: int | None = None
    """SOURCE_DATE_EPOCH: no time in the image is later."""
    warnings: tuple[str, ...] = ()
    """What is odd about the instructions and no error."""

    def __getitem__(self, vertex: VertexId) -> Vertex:
        return self.vertices[vertex]
