"""What a build is asked for; everything in here is already read, checked and absolute."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from composer.build.files import Tree
from composer.build.pinned import Pinned

Secret = Callable[[], bytes]
"""Reads a secret when a step needs it; raises ComposerError where it cannot be read."""

HOST_NETWORK = "network.host"
INSECURE = "security.insecure"
DEVICE = "device"
"""Accepted: what there is of devices needs no leave, see `steps`."""


@dataclass(frozen=True, slots=True)
class Limit:
    """One resource limit of RUN's processes (`getrlimit(2)`, without `RLIMIT_`); -1 is unlimited."""

    name: str
    soft: int
    hard: int


@dataclass(frozen=True, slots=True)
class BuildOptions:
    """One image to build."""

    context: str
    """An absolute directory, or the URL of a git repository or an archive."""
    dockerfile: str = "Dockerfile"
    """Its path, relative to the context; also what errors call an inline one."""
    dockerfile_text: str | None = None
    """`dockerfile_inline`; None: read from the file."""
    target: str = ""
    args: Mapping[str, str] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    """The image's names; without any it has its id alone."""
    labels: Mapping[str, str] = field(default_factory=dict)
    network: str = "default"
    """`default`, `host`, `none` or another that the worker knows: where RUN steps are that say nothing themselves."""
    extra_hosts: tuple[tuple[str, str], ...] = ()
    shm_size: int = 0
    """Bytes of /dev/shm; 0 is the default."""
    ulimits: tuple[Limit, ...] = ()
    secrets: Mapping[str, Secret] = field(default_factory=dict, repr=False)
    ssh: Mapping[str, str] = field(default_factory=dict)
    """Paths of agents' sockets by id."""
    contexts: Mapping[str, str] = field(default_factory=dict)
    """More contexts by name: a directory, a URL, `docker-image://NAME` (or an image's id), `oci-layout://…`."""
    cache_from: tuple[str, ...] = ()
    cache_to: tuple[str, ...] = ()
    said_at: Mapping[str, str] = field(default_factory=dict)
    """Where in the file each of these is, for warnings."""
    no_cache: bool = False
    no_cache_filter: tuple[str, ...] = ()
    """Stages whose steps are run again."""
    pull: bool = False
    """Ask registries for newer base images."""
    platform: str = ""
    """"" is this machine's."""
    platforms: tuple[str, ...] = ()
    """With several, an image for each of them and an index of these; `platform` says nothing then."""
    entitlements: frozenset[str] = frozenset()
    """Some of `network.host`, `security.insecure`, `device`."""
    privileged: bool = False
    """Every RUN is `--security=insecure`."""
    pinned: Pinned = field(default_factory=Pinned)
    """What names have to mean."""
    made_by: Mapping[str, str] = field(default_factory=dict)
    """By complete reference: who else's build makes an image, so that no lock has it."""
    trees: Mapping[str, Tree] = field(default_factory=dict, repr=False)
    """Contexts by name in small letters that were looked at a moment ago: the build begins with what was seen then."""
    surroundings: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Of the user's environment what concerns registries and git."""
