"""What client and engine say to each other. JSON in `snake_case`; unknown fields are ignored by both sides.

    GET  /version                                   {"version", "api", "pid"}
    GET  /engine                                    EngineStatus
    POST /engine/stop            {"force": bool}    events; ends the engine's containers with force, else refuses while any runs
    GET  /projects?all=1                            [ProjectSummary]
    POST /projects/NAME/up       UpRequest          events
    POST /projects/NAME/down     DownRequest        events
    POST /projects/NAME/stop|start|restart|kill|rm  ServicesRequest -> events
    POST /projects/NAME/watch    WatchRequest       events for as long as it is watched; detached, until all is in sync
    GET  /projects/NAME/watch                       WatchStatus, or null
    POST /projects/NAME/watch/stop                  Result; `changed` is 1 if there was one
    POST /projects/NAME/watch/verify                {"differences": []}
    GET  /projects/NAME/containers?all=1            [ContainerSummary]
    GET  /projects/NAME/logs?service=&tail=&since=&follow=1&until=   LogLine per line
    GET  /projects/NAME/events                      ContainerEvent per line, from now on
    POST /projects/NAME/exec     ExecRequest        101, then frames of `api.stream`
    POST /projects/NAME/build    BuildRequest       events
    POST /projects/NAME/check    BuildRequest       {"findings": [LintFinding]}: what is worth a word in the Dockerfiles
    POST /projects/NAME/pull     PullRequest        events
    POST /projects/NAME/push     PushRequest        events
    POST /projects/NAME/toolchain ToolchainRequest  {"containers": [ContainerSoftware]}
    POST /projects/NAME/run      RunRequest         events; the Result's `container` is the created one-off
    POST /containers/ID/attach   {"start": bool, "stdin": bool, "logs": bool}    101, then frames
    POST /containers/ID/remove   {"force": bool, "volumes": bool}       Result
    GET  /containers/ID/wait                        {"exit_code"}
    GET  /images                                    [ImageSummary]
    POST /images/import          {"path", "reference", "changes": []}   {"reference", "id"}
    POST /images/load            {"path"}                               {"references": []}
    POST /images/pull|push       ImagesRequest                          events
    POST /images/remove          {"references": [], "force": bool}      {"removed": []}
    POST /images/tag             {"source", "target"}                   {}
    POST /images/save            {"references": [], "path", "surroundings": {}}   {}
    POST /images/verify          {"references": [], "repair": bool}     {"damage": [{"image", "problem", "hint"}]}
    POST /images/prune           PruneRequest                           PruneResult
    POST /images/inspect         {"references": []}                     {"images": [ImageDetails]}
    POST /images/software        {"references": []}                     {"images": [ImageSoftware]}
    POST /build/prune            BuildPruneRequest                      PruneResult
    GET  /disk                                                          [DiskUsage]

A request that cannot be answered: status 4xx or 5xx with {"error": ComposerError.to_wire()}. In a stream: a Result with `error`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

API_VERSION = 1


@dataclass(frozen=True, slots=True)
class UpOptions:
    """The flags of `compose up` and `create` that concern the engine."""

    services: tuple[str, ...] = ()
    """Named on the command line; empty means all."""
    force_recreate: bool = False
    no_recreate: bool = False
    no_deps: bool = False
    no_start: bool = False
    remove_orphans: bool = False
    renew_anonymous_volumes: bool = False
    always_recreate_deps: bool = False
    scale: dict[str, int] = field(default_factory=dict)
    timeout: float | None = None
    """Seconds of grace for containers that are replaced."""
    wait: bool = False
    wait_timeout: float | None = None
    dry_run: bool = False
    pull: str = "policy"
    """`always`, `missing`, `never`, `build`, or `policy`: what the file says."""
    quiet_pull: bool = False
    """Do not tell how far pulls are, only when they begin and end."""
    build: str = "auto"
    """`auto` (what is missing or made from other inputs), `missing`, `always` or `never`."""
    quiet_build: bool = False
    """Do not tell of the steps of builds, only when builds begin and end."""


@dataclass(frozen=True, slots=True)
class UpRequest:
    """`project` is `Project.model_dump(mode="json")`, `origins` what `Origins.to_wire()` wrote."""

    project: dict[str, Any]
    origins: Any
    options: UpOptions = UpOptions()
    surroundings: dict[str, str] = field(default_factory=dict)
    """Of the client's environment what concerns registries: `registry.surroundings`."""
    lock: dict[str, Any] = field(default_factory=dict)
    """What the project's lock pins, as `lock.pins.Pins.to_wire()`; empty where there is none."""


@dataclass(frozen=True, slots=True)
class BuildFlags:
    """What the command line says of a build beyond the file."""

    no_cache: bool = False
    pull: bool = False
    args: dict[str, str] = field(default_factory=dict)
    ssh: dict[str, str] = field(default_factory=dict)
    """Paths of keys or agents by id; "" is the user's own agent."""
    verify: bool = False
    """Build twice and compare."""


@dataclass(frozen=True, slots=True)
class BuildRequest:
    """`compose build`."""

    project: dict[str, Any]
    origins: Any
    services: tuple[str, ...] = ()
    with_dependencies: bool = False
    flags: BuildFlags = BuildFlags()
    push: bool = False
    dry_run: bool = False
    surroundings: dict[str, str] = field(default_factory=dict)
    """Of the client's environment what concerns registries and builds."""
    lock: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LintFinding:
    """One thing that BuildKit's rules have to say about a Dockerfile."""

    service: str
    rule: str
    """"" for what is no rule's; as an error, it would stop a build."""
    message: str
    file: str
    line: int
    """0 for what is about the file as a whole."""
    column: int = 1
    length: int = 1
    source: str = ""
    """The line itself."""
    severity: str = "warning"
    """Or `error`."""
    url: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True)
class PullRequest:
    """Pull the images of a project's services."""

    project: dict[str, Any]
    origins: Any
    services: tuple[str, ...] = ()
    include_deps: bool = False
    policy: str = ""
    """`always` or `missing`; empty is what the file says, else `always`."""
    ignore_buildable: bool = False
    ignore_failures: bool = False
    dry_run: bool = False
    surroundings: dict[str, str] = field(default_factory=dict)
    lock: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PushRequest:
    """Push the images that a project's services build."""

    project: dict[str, Any]
    services: tuple[str, ...] = ()
    include_deps: bool = False
    ignore_failures: bool = False
    dry_run: bool = False
    surroundings: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ImagesRequest:
    """Pull or push images by reference."""

    references: tuple[str, ...]
    platform: str = ""
    surroundings: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LoadRequest:
    """How to read the project's files again: the command line's options, and the variables that reading them took."""

    directory: str
    files: tuple[str, ...] = ()
    project_directory: str = ""
    profiles: tuple[str, ...] = ()
    env_files: tuple[str, ...] = ()
    variables: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class WatchRequest:
    """`compose watch`; what `up` says is what changes of the files are reconciled with."""

    up: UpRequest
    load: LoadRequest
    detach: bool = False
    """Watch on without a client; answer when everything is in sync."""
    prune: bool = False
    """Remove what a rebuild leaves without a name."""


@dataclass(frozen=True, slots=True)
class DownRequest:
    """`project` may be None: what is recorded under the name is taken down."""

    project: dict[str, Any] | None = None
    services: tuple[str, ...] = ()
    volumes: bool = False
    remove_orphans: bool = False
    timeout: float | None = None
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class ServicesRequest:
    """`stop`, `start`, `restart`, `kill`, `rm` of services (empty: all)."""

    services: tuple[str, ...] = ()
    timeout: float | None = None
    signal: str = "SIGKILL"
    no_deps: bool = False
    remove_orphans: bool = False
    volumes: bool = False
    stop: bool = False
    wait: bool = False
    wait_timeout: float | None = None
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class ExecRequest:
    """A process in a running container."""

    service: str
    command: tuple[str, ...]
    index: int = 0
    """0 is the first running replica."""
    tty: bool = False
    environment: tuple[str, ...] = ()
    user: str = ""
    working_dir: str = ""
    detach: bool = False
    privileged: bool = False
    rows: int = 24
    columns: int = 80


@dataclass(frozen=True, slots=True)
class RunRequest:
    """A one-off container of a service; its dependencies are brought up first unless `no_deps`."""

    project: dict[str, Any]
    origins: Any
    service: str
    command: tuple[str, ...] | None = None
    entrypoint: tuple[str, ...] | None = None
    environment: tuple[str, ...] = ()
    user: str = ""
    working_dir: str = ""
    volumes: tuple[dict[str, Any], ...] = ()
    """As `project.model.Mount`."""
    publish: tuple[dict[str, Any], ...] = ()
    service_ports: bool = False
    use_aliases: bool = False
    name: str = ""
    tty: bool = False
    stdin: bool = False
    no_deps: bool = False
    remove: bool = False
    remove_orphans: bool = False
    pull: str = "policy"
    build: str = "auto"
    quiet_pull: bool = False
    quiet_build: bool = False
    surroundings: dict[str, str] = field(default_factory=dict)
    lock: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a resource; enough to draw one line of progress."""

    resource: str
    """`network`, `volume`, `watch`, `container`, `image`, `layer`, `step` or `project`."""
    name: str
    status: str
    """`creating created starting started waiting healthy exited stopping stopped removing removed running warning error`;
    images and layers `waiting downloading unpacking pulling pulled uploading pushing pushed present building built`;
    steps of a build `running cached output done failed cancelled`."""
    cause: str = ""
    detail: str = ""
    """For `waiting`: whom it waits for; for `warning` and `error`: the sentence."""
    hint: str = ""
    seconds: float = 0.0
    """How long the operation took, for the statuses that end one."""
    service: str = ""
    parent: str = ""
    """The image that a layer or step belongs to."""
    current: int = 0
    """Bytes that are done of `total`, where something is transferred."""
    total: int = 0
    id: str = ""
    """Tells a step from others of the same name."""


@dataclass(frozen=True, slots=True)
class Result:
    """The last line of a stream of events."""

    ok: bool = True
    changed: int = 0
    """Operations carried out."""
    plan: str = ""
    """`str(plan)` of a dry run."""
    error: dict[str, Any] | None = None
    """`ComposerError.to_wire()`."""
    container: str = ""


@dataclass(frozen=True, slots=True)
class WatchedService:
    """One service of a watch."""

    service: str
    in_sync: bool
    files: int
    """How many paths its rules select."""
    brought: int
    """How many changes were brought into its containers since the watch began."""
    lag: float
    """Seconds from the last save until it was done."""


@dataclass(frozen=True, slots=True)
class WatchStatus:
    """How the watch over a project stands."""

    project: str
    detached: bool
    since: float
    note: str
    """How changes are noticed, where that is not the usual way."""
    services: tuple[WatchedService, ...]
    events: tuple[Event, ...]
    """The last ones."""
    times: tuple[float, ...]
    """When each of `events` was, in seconds since the epoch."""


@dataclass(frozen=True, slots=True)
class Publisher:
    """A published port of a container, as `docker compose ps --format json` names it."""

    url: str
    target_port: int
    published_port: int
    protocol: str


@dataclass(frozen=True, slots=True)
class ContainerSummary:
    """A container as `compose ps` shows it; times are seconds since the epoch, 0 for never."""

    id: str
    name: str
    project: str
    service: str
    number: int
    image: str
    command: tuple[str, ...]
    state: str
    health: str
    exit_code: int
    pid: int
    created: float
    started: float
    finished: float
    publishers: tuple[Publisher, ...] = ()
    networks: tuple[str, ...] = ()
    labels: dict[str, str] = field(default_factory=dict)
    mounts: tuple[str, ...] = ()
    one_off: bool = False
    waiting: str = ""
    """Whom it waits for, while it does."""
    restarts: int = 0
    attach: bool = True
    image_id: str = ""
    """What it was made from; the name may mean another image by now. Empty for the embedded image."""


@dataclass(frozen=True, slots=True)
class LogEntry:
    """A line of output without its end; bytes that are not UTF-8 are replaced."""

    container: str
    service: str
    number: int
    stream: str
    """`stdout`, `stderr`, `tty` or `gap`."""
    time: float
    text: str


@dataclass(frozen=True, slots=True)
class ContainerEvent:
    """A container's life: `create start die stop kill health_status destroy`."""

    container: str
    name: str
    service: str
    action: str
    time: float
    exit_code: int = 0
    health: str = ""
    one_off: bool = False


@dataclass(frozen=True, slots=True)
class ProjectSummary:
    """A project as `compose ls` shows it."""

    name: str
    status: str
    """For instance `running(3)` or `running(2), exited(1)`."""
    config_files: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ImageSummary:
    """An image as `compose image ls` shows it; `size` in bytes, `created` in seconds since the epoch."""

    reference: str
    id: str
    size: int
    created: float
    damage: str = ""
    """Why the image cannot be read; empty for a sound one."""


@dataclass(frozen=True, slots=True)
class ImageDetails:
    """What `compose image inspect` and `history` print; `config` is the image's configuration as it is stored."""

    id: str
    references: tuple[str, ...]
    digests: tuple[str, ...]
    """`name@digest` as registries gave it."""
    manifest: str
    size: int
    layers: tuple[int, ...]
    """Bytes of each layer, from the bottom up."""
    config: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ImageSoftware:
    """What is installed in an image: ecosystem -> name -> versions."""

    reference: str
    manifest: str
    platform: str
    packages: dict[str, dict[str, tuple[str, ...]]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ToolchainRequest:
    """`compose toolchain`: the containers of services (empty: all), compared with the lock."""

    services: tuple[str, ...] = ()
    packages: bool = False
    """Also read what is installed in them."""
    lock: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ContainerSoftware:
    """What a container was made from and has installed now."""

    container: str
    service: str
    image: str
    manifest: str
    """Empty for what has none: the embedded image, one that is gone."""
    platform: str
    state: str
    """`same` as locked, `other`, or `unlocked`."""
    packages: dict[str, dict[str, tuple[str, ...]]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PruneRequest:
    """`compose image prune`; what containers were made from stays."""

    all: bool = False
    created_before: float | None = None
    labels: tuple[str, ...] = ()
    keep_storage: int | None = None
    blobs: bool = False
    """Also blobs of layers that are unpacked and can be pulled again."""
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class BuildPruneRequest:
    """Forget cached steps of builds, and with `mounts` cache mounts too."""

    mounts: bool = False
    used_before: float | None = None
    """Only what was of no use since then, in seconds since the epoch."""


@dataclass(frozen=True, slots=True)
class PruneResult:
    """Names and ids of what was deleted, and the bytes that are free now."""

    removed: tuple[str, ...] = ()
    reclaimed: int = 0


@dataclass(frozen=True, slots=True)
class DiskUsage:
    """One line of `compose system df`; sizes in bytes."""

    kind: str
    total: int
    active: int
    size: int
    reclaimable: int


@dataclass(frozen=True, slots=True)
class EngineStatus:
    """`compose engine status`; pids are 0 for what does not run, `uptime` in seconds."""

    version: str
    socket: str
    data: str
    uptime: float
    engine: int
    keeper: int
    data_plane: int
    pump: int
    projects: int
    containers: int
    running: int
    rootless: bool
    notes: tuple[str, ...] = ()
    """What this machine cannot do, for instance limits that are not enforced."""
