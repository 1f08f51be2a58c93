"""The engine's calls, synchronous: one method a line of the table in `messages`.

The engine is started when nobody answers. If it dies under a request that may be repeated (all but exec, run and attach:
they name a goal, not a step), it is started again and the request sent again, up to three times; streams of logs go on
where they were. Whatever goes wrong below is a ComposerError above.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar
from urllib.parse import quote

from composer.api import messages
from composer.api.answers import decoded, project_target, refusal
from composer.api.codec import encode
from composer.api.connection import EngineLost, Response, send
from composer.api.starter import check_socket_path, ensure_engine
from composer.api.streams import ATTEMPTS, EventStream, LogOptions, LogStream
from composer.api.succession import SUCCESSIONS, await_successor
from composer.edition import ANY, edition
from composer.errors import EngineError
from composer.paths import Paths

T = TypeVar("T")


class Client:
    """The calls. `notice` is told, in a sentence, what the user should know about while a request goes on."""

    def __init__(
        self, paths: Paths, environment: Mapping[str, str], notice: Callable[[str], None] | None = None
    ) -> None:
        self._paths = paths
        self._environment = environment
        self._notice = notice or (lambda _: None)
        self._edition = edition(messages.API_VERSION)

    def version(self) -> dict[str, Any]:
        """What the engine says of itself: version, api, pid."""
        answer: dict[str, Any] = self._get("/version")
        return answer

    def status(self) -> messages.EngineStatus:
        """The engine's pids, place and numbers."""
        return decoded(messages.EngineStatus, self._get("/engine"))

    def stop_engine(self, *, force: bool = False) -> EventStream:
        """End keeper and engine; with `force` the containers too."""
        return self._events("/engine/stop", {"force": force})

    def projects(self, *, all_projects: bool = False) -> list[messages.ProjectSummary]:
        """The projects with running containers, or all that are recorded."""
        return self._list(messages.ProjectSummary, "/projects" + ("?all=1" if all_projects else ""))

    def up(self, project: str, request: messages.UpRequest) -> EventStream:
        """Bring the project to what the request says."""
        return self._events(f"{project_target(project)}/up", request)

    def down(self, project: str, request: messages.DownRequest) -> EventStream:
        """Remove the project's containers and networks."""
        return self._events(f"{project_target(project)}/down", request)

    def watch(self, project: str, request: messages.WatchRequest) -> EventStream:
        """Watch the project's files for as long as the stream is open, or, detached, until all is in sync."""
        return self._events(f"{project_target(project)}/watch", request)

    def watch_status(self, project: str) -> messages.WatchStatus | None:
        """How the watch over the project stands, None if there is none."""
        answer = self._get(f"{project_target(project)}/watch")
        return None if answer is None else decoded(messages.WatchStatus, answer)

    def stop_watch(self, project: str) -> bool:
        """End the watch over the project; whether there was one."""
        return bool(self._call("POST", f"{project_target(project)}/watch/stop")["changed"])

    def verify_watch(self, project: str) -> list[str]:
        """Where the project's containers differ from what is watched, by content."""
        return [str(each) for each in self._call("POST", f"{project_target(project)}/watch/verify")["differences"]]

    def act(self, verb: str, project: str, request: messages.ServicesRequest) -> EventStream:
        """`stop`, `start`, `restart`, `kill` or `rm` of services."""
        return self._events(f"{project_target(project)}/{verb}", request)

    def containers(self, project: str, *, all_containers: bool = False) -> list[messages.ContainerSummary]:
        """The project's containers: the running ones, or all."""
        query = "?all=1" if all_containers else ""
        return self._list(messages.ContainerSummary, f"{project_target(project)}/containers{query}")

    def logs(self, project: str, options: LogOptions) -> LogStream:
        """The project's log lines, in order of time."""
        return LogStream(self, project, options)

    def events(self, project: str) -> Response:
        """A stream of `ContainerEvent` lines from now on; `container_events` reads what has come."""
        return self.open("GET", f"{project_target(project)}/events")

    def run(self, project: str, request: messages.RunRequest) -> EventStream:
        """Create a one-off container; the Result names it. Not repeated when the engine dies."""
        return self._events(f"{project_target(project)}/run", request, repeatable=False)

    def pull(self, project: str, request: messages.PullRequest) -> EventStream:
        """Pull the images of the project's services."""
        return self._events(f"{project_target(project)}/pull", request)

    def build(self, project: str, request: messages.BuildRequest) -> EventStream:
        """Build the images of the project's services."""
        return self._events(f"{project_target(project)}/build", request)

    def check_build(self, project: str, request: messages.BuildRequest) -> list[messages.LintFinding]:
        """What BuildKit's rules have to say about the Dockerfiles of the project's services."""
        found = self._call("POST", f"{project_target(project)}/check", encode(request))["findings"]
        return [decoded(messages.LintFinding, each) for each in found]

    def push(self, project: str, request: messages.PushRequest) -> EventStream:
        """Push the images that the project builds."""
        return self._events(f"{project_target(project)}/push", request)

    def execute(self, project: str, request: messages.ExecRequest) -> socket.socket:
        """Start a process in a running container."""
        return self._upgrade(f"{project_target(project)}/exec", request)

    def attach(self, container: str, *, start: bool, stdin: bool, logs: bool = False) -> socket.socket:
        """The container's own streams, starting it first if asked."""
        body = {"start": start, "stdin": stdin, "logs": logs}
        return self._upgrade(f"/containers/{quote(container)}/attach", body)

    def remove_container(self, container: str, *, force: bool = False, volumes: bool = False) -> None:
        """Remove one container; one that is gone is success."""
        self._call("POST", f"/containers/{quote(container)}/remove", {"force": force, "volumes": volumes})

    def wait(self, container: str) -> int:
        """The exit code, once the container has ended."""
        return int(self._get(f"/containers/{quote(container)}/wait")["exit_code"])

    def images(self) -> list[messages.ImageSummary]:
        """Every reference in the store."""
        return self._list(messages.ImageSummary, "/images")

    def import_image(self, path: str, reference: str, changes: tuple[str, ...] = ()) -> dict[str, str]:
        """Make an image of a root file system: a directory or a tar archive. Answers with reference and id."""
        body = {"path": path, "reference": reference, "changes": list(changes)}
        answer: dict[str, str] = self._call("POST", "/images/import", body)
        return answer

    def load_image(self, path: str) -> list[str]:
        """Take in an OCI layout, OCI archive or docker archive; the references it brought."""
        answer: list[str] = self._call("POST", "/images/load", {"path": path})["references"]
        return answer

    def pull_images(self, request: messages.ImagesRequest) -> EventStream:
        """Pull images by reference."""
        return self._events("/images/pull", request)

    def push_images(self, request: messages.ImagesRequest) -> EventStream:
        """Push images by reference."""
        return self._events("/images/push", request)

    def tag_image(self, source: str, target: str) -> None:
        """Give an image one more name."""
        self._call("POST", "/images/tag", {"source": source, "target": target})

    def save_images(self, references: list[str], path: str, surroundings: Mapping[str, str]) -> None:
        """Write images to an archive at the absolute `path`."""
        body = {"references": references, "path": path, "surroundings": dict(surroundings)}
        self._call("POST", "/images/save", body)

    def verify_images(self, references: list[str], *, repair: bool = False) -> list[dict[str, str]]:
        """What is damaged: `image`, `problem` and `hint` of each."""
        body = {"references": references, "repair": repair}
        damage: list[dict[str, str]] = self._call("POST", "/images/verify", body)["damage"]
        return damage

    def prune_images(self, request: messages.PruneRequest) -> messages.PruneResult:
        """Delete images that nothing uses."""
        return decoded(messages.PruneResult, self._call("POST", "/images/prune", encode(request)))

    def inspect_images(self, references: list[str]) -> list[messages.ImageDetails]:
        """All that is known of these images."""
        answer = self._call("POST", "/images/inspect", {"references": references})["images"]
        return [decoded(messages.ImageDetails, each) for each in answer]

    def image_software(self, references: list[str]) -> list[messages.ImageSoftware]:
        """What is installed in images of the store."""
        answer = self._call("POST", "/images/software", {"references": references})["images"]
        return [decoded(messages.ImageSoftware, each) for each in answer]

    def toolchain(self, project: str, request: messages.ToolchainRequest) -> list[messages.ContainerSoftware]:
        """The project's containers, compared with its lock."""
        answer = self._call("POST", f"{project_target(project)}/toolchain", request)["containers"]
        return [decoded(messages.ContainerSoftware, each) for each in answer]

    def prune_build_cache(self, request: messages.BuildPruneRequest) -> messages.PruneResult:
        """Forget cached steps; the bytes that are free then."""
        return decoded(messages.PruneResult, self._call("POST", "/build/prune", encode(request)))

    def disk_usage(self) -> list[messages.DiskUsage]:
        """What images, containers, volumes and logs take on the disk."""
        return self._list(messages.DiskUsage, "/disk")

    def remove_images(self, references: list[str], *, force: bool = False) -> list[str]:
        """Remove references, and the content nothing else needs; what was removed."""
        answer: list[str] = self._call("POST", "/images/remove", {"references": references, "force": force})["removed"]
        return answer

    def open(self, method: str, target: str, body: bytes = b"", *, upgrade: bool = False) -> Response:
        """Send a request, starting the engine if there is none; an answer that is an error is raised.

        An engine of other code is replaced before, when it is the first that we meet: a command that lives on over an
        upgrade takes the engine that there is, and so does one whose own engine would not start.
        """
        response = self._ask(method, target, body, upgrade=upgrade)
        replaced = 0
        for _ in range(SUCCESSIONS):
            if response.status not in (messages.OTHER_EDITION, messages.MAKES_WAY):
                break
            if response.status == messages.OTHER_EDITION and (replaced := replaced + 1) > ATTEMPTS:
                response.close()  # files are being replaced: what we start is not what we are
                self._edition = replace(self._edition, checksum=ANY)
            elif await_successor(self._paths, response, self._edition, self._notice):
                ensure_engine(self._paths, self._environment)
            else:
                self._edition = replace(self._edition, checksum=ANY)
            response = self._ask(method, target, body, upgrade=upgrade)
        if response.status >= 400:
            raise refusal(response)
        self._edition = replace(self._edition, checksum=ANY)
        if upgrade and response.status != 101:
            response.close()
            raise EngineError(f"the engine did not open the stream: status {response.status}")
        return response

    def _ask(self, method: str, target: str, body: bytes, *, upgrade: bool) -> Response:
        """The head of the answer, whatever it says; the engine is started if there is none."""
        try:
            return self._send(method, target, body, upgrade=upgrade)
        except (FileNotFoundError, ConnectionRefusedError):
            ensure_engine(self._paths, self._environment)
            return self._send_again(method, target, body, upgrade=upgrade)
        except EngineLost as lost:
            if upgrade:
                raise EngineError("the engine went away before it answered") from lost
            self.recover(1, lost)
            return self._send_again(method, target, body)
        except OSError as error:
            raise self._unreachable(error) from error

    def recover(self, attempt: int, cause: EngineLost) -> None:
        """Have an engine again after it went away in the middle of an answer, or give up after `ATTEMPTS`."""
        if attempt >= ATTEMPTS:
            raise EngineError(
                "the engine went away during this request", hint=f"read {self._paths.engine_log}"
            ) from cause
        self._notice("the engine went away; carrying on with a new one")
        ensure_engine(self._paths, self._environment)

    def _send_again(self, method: str, target: str, body: bytes, *, upgrade: bool = False) -> Response:
        try:
            return self._send(method, target, body, upgrade=upgrade)
        except (EngineLost, OSError) as error:
            raise self._unreachable(error) from error

    def _send(self, method: str, target: str, body: bytes, *, upgrade: bool) -> Response:
        check_socket_path(self._paths.engine_socket)
        return send(self._paths.engine_socket, method, target, body, upgrade=upgrade, edition=self._edition)

    def _unreachable(self, error: Exception) -> EngineError:
        why = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else "it hung up"
        return EngineError(
            f"cannot reach the engine at {self._paths.engine_socket}: {why}", hint=f"read {self._paths.engine_log}"
        )

    def _call(self, method: str, target: str, body: Any = None) -> Any:
        payload = b"" if body is None else json.dumps(encode(body)).encode()
        attempt = 0
        while True:
            try:
                return json.loads(self.open(method, target, payload).read() or b"null")
            except EngineLost as lost:
                attempt += 1
                self.recover(attempt, lost)
            except json.JSONDecodeError as error:
                raise EngineError(f"the engine's answer to {target} is not JSON") from error

    def _get(self, target: str) -> Any:
        return self._call("GET", target)

    def _list(self, kind: type[T], target: str) -> list[T]:
        answer = self._get(target)
        if not isinstance(answer, list):
            raise EngineError(f"the engine's answer to {target} is not a list")
        return [decoded(kind, item) for item in answer]

    def _events(self, target: str, body: Any, *, repeatable: bool = True) -> EventStream:
        return EventStream(self, target, json.dumps(encode(body)).encode(), repeatable=repeatable)

    def _upgrade(self, target: str, body: Any) -> socket.socket:
        return self.open("POST", target, json.dumps(encode(body)).encode(), upgrade=True).socket
