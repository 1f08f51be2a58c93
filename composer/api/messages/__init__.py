"""What client and engine say to each other. JSON in `snake_case`; unknown fields are ignored by both sides.

    GET  /version                                   {"version", "api", "pid"}
    GET  /engine                                    EngineStatus
    POST /engine/stop            {"force": bool}    events; ends the engine's containers with force, else refuses while any runs
    POST /engine/replace         {"command": []}    {"making_way": bool, "waiting_for": []}: have an engine of other code started
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

from composer.api.messages.builds import BuildFlags, BuildRequest, LintFinding
from composer.api.messages.containers import (
    ContainerEvent,
    ContainerSoftware,
    ContainerSummary,
    ExecRequest,
    LogEntry,
    Publisher,
    RunRequest,
    ToolchainRequest,
)
from composer.api.messages.edition import API_VERSION, EDITION_HEADER, MAKES_WAY, OTHER_EDITION
from composer.api.messages.engine import BuildPruneRequest, DiskUsage, EngineStatus, PruneRequest, PruneResult
from composer.api.messages.events import Event, Result
from composer.api.messages.images import (
    ImageDetails,
    ImagePlatform,
    ImageSoftware,
    ImagesRequest,
    ImageSummary,
    PullRequest,
    PushRequest,
)
from composer.api.messages.projects import (
    DownRequest,
    LoadRequest,
    ProjectSummary,
    ServicesRequest,
    UpOptions,
    UpRequest,
)
from composer.api.messages.watches import WatchedService, WatchRequest, WatchStatus

__all__ = [
    "API_VERSION",
    "EDITION_HEADER",
    "MAKES_WAY",
    "OTHER_EDITION",
    "BuildFlags",
    "BuildPruneRequest",
    "BuildRequest",
    "ContainerEvent",
    "ContainerSoftware",
    "ContainerSummary",
    "DiskUsage",
    "DownRequest",
    "EngineStatus",
    "Event",
    "ExecRequest",
    "ImageDetails",
    "ImagePlatform",
    "ImageSoftware",
    "ImageSummary",
    "ImagesRequest",
    "LintFinding",
    "LoadRequest",
    "LogEntry",
    "ProjectSummary",
    "PruneRequest",
    "PruneResult",
    "Publisher",
    "PullRequest",
    "PushRequest",
    "Result",
    "RunRequest",
    "ServicesRequest",
    "ToolchainRequest",
    "UpOptions",
    "UpRequest",
    "WatchRequest",
    "WatchStatus",
    "WatchedService",
]
