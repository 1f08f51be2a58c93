import asyncio
from pathlib import Path
from typing import Any

import pytest

from composer.engine.blame import blamed, placed
from composer.engine.world import FileGrant, MountPoint
from composer.errors import ComposerError, ContainerError, Diagnostic, ProjectError, Severity
from composer.keeper.perform import subject
from composer.keeper.steps import Bind, Files, ResourceLimit, Sysctl
from composer.project.loader import Loaded
from tests.unit.engine.shop import config
from tests.unit.project.loading import load_in, with_web, write

CONFIG: dict[str, Any] = {
    "cap_drop": ("NET_RAW",),
    "working_dir": "/etc/passwd",
    "mounts": (MountPoint("bind", "/here", "/data"), MountPoint("tmpfs", "/scratch")),
    "files": (FileGrant("secret", "key", "/run/secrets/key"),),
}
TEXT = with_web(
    """
    command: nosuch
    user: bob
    working_dir: /etc/passwd
    cap_add: [NET_ADMIN, NOPE]
    cap_drop: [NET_RAW]
    devices: ["/dev/null", "/dev/nope"]
    ulimits: {nofile: 10, core: 5}
    sysctls: {net.nope: 1}
    ports: ["1:80", "2:80/udp"]
    tmpfs: ["/tmp", "/scratch:size=1m"]
    volumes: ["other:/o", "/data:/here"]
    secrets: [key]
    """,
    rest="volumes: {other: }\nsecrets: {key: {environment: KEY}}\n",
)


def raised_again(error: ComposerError, loaded: Loaded) -> ComposerError:
    async def raising() -> None:
        async with placed(loaded.project, loaded.origins):
            raise error

    with pytest.raises(ComposerError) as caught:
        asyncio.run(raising())
    return caught.value


@pytest.mark.parametrize(
    ("error", "marked"),
    [
        (ContainerError("", step="user"), "bob"),
        (ContainerError("", step="Exec"), "command"),
        (ContainerError("", step="Directory", about="/etc/passwd"), "/etc/passwd"),
        (ContainerError("", step="capability", about="CAP_NOPE"), "NOPE"),
        (ContainerError("", step="capability", about="CAP_NET_RAW"), "NET_RAW"),
        (ContainerError("", step="device", about="/dev/nope"), "/dev/nope"),
        (ContainerError("", step="ResourceLimit", about="core"), "core"),
        (ContainerError("", step="Sysctl", about="net.nope"), "1"),
        (ContainerError("", step="Mount", about="/scratch"), "/scratch:size=1m"),
        (ContainerError("", step="Bind", about="/here"), "/data:/here"),
        (ContainerError("", step="Files", about="/run/secrets/key"), "key"),
        (ContainerError("", step="Overlay"), ""),
        (ComposerError(""), ""),
    ],
)
def test_an_error_of_a_start_says_where_its_attribute_was_written(
    tmp_path: Path, error: ComposerError, marked: str
) -> None:
    write(tmp_path, {"compose.yaml": TEXT})
    loaded = load_in(tmp_path, {"KEY": "x"})
    if path := blamed(error, config(**CONFIG)):
        error.attribute = ("services", "web", *path)

    raised = raised_again(error, loaded)

    place = raised.location
    assert (place.source[place.column - 1 :][: place.length].strip('"') if place else "") == marked


def test_an_error_that_says_what_it_is_about_is_believed(tmp_path: Path) -> None:
    write(tmp_path, {"compose.yaml": TEXT})
    loaded = load_in(tmp_path, {"KEY": "x"})
    error = ComposerError("a port is taken")
    error.attribute = ("services", "web", "ports", "80/udp")

    place = raised_again(error, loaded).location

    assert place is not None
    assert place.source[place.column - 1 :].startswith('"2:80/udp"')


def test_each_problem_of_a_project_says_where_its_attribute_was_written(tmp_path: Path) -> None:
    write(tmp_path, {"compose.yaml": TEXT})
    loaded = load_in(tmp_path, {"KEY": "x"})
    places = [("secrets", "key", "environment"), ("services", "web", "user"), ()]
    problems = [Diagnostic(Severity.ERROR, "", attribute=place) for place in places]

    raised = raised_again(ProjectError(problems), loaded)

    assert isinstance(raised, ProjectError)
    found = [each.location for each in raised.diagnostics]
    assert [place and place.source[place.column - 1 :][: place.length] for place in found] == ["KEY", "bob", None]


def test_a_step_that_failed_says_what_it_was_about() -> None:
    failure = OSError(20, "no directory", "/run/secrets/key")

    assert subject(Bind("/a", "/b"), failure) == "/b"
    assert subject(Files("/p", ()), failure) == "/run/secrets/key"
    assert subject(ResourceLimit("NOFILE", 1, 1), failure) == "nofile"
    assert subject(Sysctl("net/ipv4/x", "1"), failure) == "net.ipv4.x"
