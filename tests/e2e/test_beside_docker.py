"""What we push others run, and what they push runs here, bit for bit: Docker, Podman, and buildah.

They live in the benchmark's box, with a network of their own; both sides' registries serve one directory in turn.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.harness import Engine
from tests.make.image import busybox_rootfs
from tests.make.ports import free_port
from tests.make.registry import running_registry

SETUP = Path(__file__).parents[1] / "bench/setup.sh"

STORAGE = ("--storage-driver", "vfs")
LIMITS = ("--isolation", "chroot", "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024")
"""Its defaults are more than some machines may give."""

PODMAN = (
    *("env", "PODMAN_IGNORE_CGROUPSV1_WARNING=1"),
    *("podman", "--root", "/var/lib/podman", "--storage-driver", "overlay", "--runtime", "runc"),
)
"""With a store of its own, as buildah has another driver. crun, its default, refuses machines of two cgroup hierarchies."""

pytestmark = pytest.mark.soak

DOCKERFILE = """\
FROM scratch
ADD rootfs.tar /
ENV GREETING="hello there" PATH=/bin
COPY --chown=1000:2000 tree /tree
RUN cd /tree && chmod 4755 suid && ln hard1 hard2 && ln -s ../etc/passwd link && chown 0:1000 owned && mkfifo fifo \\
 && rm gone && rm -r opaque && mkdir opaque && echo new >opaque/new && touch -d '2001-02-03 04:05:06' old && chmod 700 private
USER app
WORKDIR /tree
LABEL team=a
CMD ["sh", "-c", "echo $GREETING from $PWD as $(id -u)"]
"""
LISTING = """\
cd /tree && find . | sort | while read -r name; do
  stat -c '%n %f %u:%g %Y' "$name"; [ ! -L "$name" ] || readlink "$name"
  [ -L "$name" ] || [ ! -f "$name" ] || { stat -c %h "$name"; busybox sha256sum "$name"; }
done; env | grep -v -e ^HOSTNAME -e ^HOME -e ^SHLVL -e ^TERM -e ^container | sort; pwd
"""


@dataclass(frozen=True)
class Box:
    """The namespaces in which the others live."""

    directory: Path

    @property
    def network(self) -> tuple[str, ...]:
        """What goes before a command of the host that shall run on the box's network."""
        return ("nsenter", "-t", (self.directory / "box.pid").read_text().strip(), "-n")

    def run(self, *command: str) -> str:
        """A command in the box, which must succeed; what it printed."""
        done = subprocess.run([SETUP, self.directory, "exec", *command], capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        return done.stdout

    def put(self, name: str, directory: Path) -> str:
        """A copy of a directory in the box; its path there."""
        shutil.copytree(directory, self.directory / "bench" / name, dirs_exist_ok=True)
        return f"/bench/{name}"


@pytest.fixture(scope="module")
def box() -> Iterator[Box]:
    given = os.environ.get("BENCH_DIR", "")
    directory = Path(given or tempfile.mkdtemp(prefix="peer-", dir="/var/tmp"))  # too large for memory
    (directory / "images").mkdir(exist_ok=True)
    for command in ("tree", "box", "dockerd"):
        subprocess.run([SETUP, directory, command], check=True, capture_output=True)
    yield Box(directory)
    if not given:
        subprocess.run([SETUP, directory, "stop"], check=True, capture_output=True)
        shutil.rmtree(directory)


@pytest.fixture
def context(tmp_path: Path) -> Path:
    """A build context with files of every kind that a COPY can bring."""
    context = tmp_path / "context"
    context.mkdir()
    with tarfile.open(context / "rootfs.tar", "w") as archive:
        archive.add(busybox_rootfs(tmp_path / "rootfs"), ".")
    (context / "tree/opaque").mkdir(parents=True)
    for name in ("suid", "hard1", "owned", "gone", "old", "private", "opaque/before", "naïve file"):
        (context / "tree" / name).write_text(name)
    (context / "tree/big").write_bytes(os.urandom(2_000_000))
    (context / "tree/sparse").write_bytes(b"\0" * 1_000_000 + b"end")
    (context / "Dockerfile").write_text(DOCKERFILE)
    return context


def by_docker(box: Box, reference: str) -> str:
    return box.run("docker", "run", "--rm", "--network", "none", "--user", "0", reference, "sh", "-c", LISTING)


def by_buildah(box: Box, reference: str) -> str:
    container = box.run("buildah", *STORAGE, "from", *LIMITS, "--tls-verify=false", reference).strip()
    try:
        command = ("run", "--isolation", "chroot", "--user", "0", container, "sh", "-c", LISTING)
        return box.run("buildah", *STORAGE, *command)
    finally:
        box.run("buildah", *STORAGE, "rm", container)
        box.run("buildah", *STORAGE, "rmi", reference)


def by_podman(box: Box, reference: str) -> str:
    limits = ("--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024", "--cgroup-parent", "/bench-podman")
    command = ("run", "--rm", "-q", "--tls-verify=false", "--network", "none", *limits, "--user", "0", reference)
    return box.run(*PODMAN, *command, "sh", "-c", LISTING)


def by_us(engine: Engine, reference: str) -> str:
    shop = engine.project(f"services:\n  web:\n    image: {reference}\n    network_mode: none\n")
    return shop.compose("run", "--rm", "-T", "--user", "0", "web", "sh", "-c", LISTING, check=True).stdout


def id_here(engine: Engine, reference: str) -> str:
    return str(json.loads(engine.compose("image", "inspect", reference, check=True).stdout)[0]["Id"])


@pytest.mark.parametrize("kind", ["docker", "buildkit", "buildah", "podman"])
def test_what_others_pushed_runs_here_as_it_does_there(
    engine: Engine, box: Box, context: Path, tmp_path: Path, kind: str
) -> None:
    port = free_port()
    reference = f"127.0.0.1:{port}/theirs/{kind}:1"
    place = box.put(f"context-{kind}", context)
    with running_registry(tmp_path / "registry", port=port, within=box.network):
        if kind == "buildah":
            box.run("buildah", *STORAGE, "build", *LIMITS, "-t", reference, place)
            box.run("buildah", *STORAGE, "push", "--tls-verify=false", reference)
            box.run("buildah", *STORAGE, "rmi", reference)
        elif kind == "podman":
            box.run(*PODMAN, "build", *LIMITS, "-t", reference, place)
            box.run(*PODMAN, "push", "-q", "--tls-verify=false", reference)
            assert by_podman(box, reference) == by_docker(box, reference)
            box.run(*PODMAN, "rmi", reference)
            box.run("docker", "rmi", reference)
        else:
            box.run(
                "env", f"DOCKER_BUILDKIT={int(kind == 'buildkit')}", "docker", "build", "-q", "-t", reference, place
            )
            box.run("docker", "push", "-q", reference)
            box.run("docker", "rmi", reference)
        theirs = by_docker(box, reference)
        identity = box.run("docker", "image", "inspect", "-f", "{{.Id}}", reference).strip()
        box.run("docker", "rmi", reference)
    with running_registry(tmp_path / "registry", port=port):
        ours = by_us(engine, reference)
        assert ours == theirs
        assert "opaque/new" in ours
        assert "opaque/before" not in ours
        assert id_here(engine, reference) == identity
        assert engine.compose("image", "verify").code == 0


def test_what_we_built_and_pushed_runs_there_as_it_does_here(
    engine: Engine, box: Box, context: Path, tmp_path: Path
) -> None:
    port = free_port()
    reference = f"127.0.0.1:{port}/ours/app:1"
    shop = engine.project(f"services:\n  web:\n    image: {reference}\n    build: {context}\n    network_mode: none\n")
    with running_registry(tmp_path / "registry", port=port):
        shop.compose("build", "--push", check=True, timeout=300)
        ours = by_us(engine, reference)
    with running_registry(tmp_path / "registry", port=port, within=box.network):
        assert by_docker(box, reference) == ours
        assert by_buildah(box, reference) == ours
        assert by_podman(box, reference) == ours
        greeting = box.run("docker", "run", "--rm", "--network", "none", reference)
        identity = box.run("docker", "image", "inspect", "-f", "{{.Id}}", reference).strip()
        podmans = box.run(*PODMAN, "image", "inspect", "-f", "sha256:{{.Id}}", reference).strip()
        box.run("docker", "rmi", reference)
        box.run(*PODMAN, "rmi", reference)
    assert greeting == "hello there from /tree as 1000\n"
    assert identity == podmans == id_here(engine, reference)


def test_an_index_of_several_platforms_is_read_alike(engine: Engine, box: Box, tmp_path: Path) -> None:
    """Made by buildah, whose manifests are of Docker's media types on demand."""
    port = free_port()
    reference = f"127.0.0.1:{port}/theirs/many:1"
    rootfs = tmp_path / "rootfs"
    busybox_rootfs(rootfs)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.add(rootfs, ".")
    context = tmp_path / "context"
    (context / "tree").mkdir(parents=True)
    (context / "rootfs.tar").write_bytes(buffer.getvalue())
    (context / "Dockerfile").write_text(
        "FROM scratch\nARG TARGETARCH\nADD rootfs.tar /\nENV FOR=$TARGETARCH\nCOPY tree /tree\n"
    )
    (context / "tree/file").write_text("content")
    place = box.put("context-many", context)
    with running_registry(tmp_path / "registry", port=port, within=box.network):
        for platform in ("linux/amd64", "linux/arm64", "linux/arm/v7"):
            box.run("buildah", *STORAGE, "build", "--platform", platform, "--manifest", reference, place)
        box.run(
            "buildah",
            *STORAGE,
            "manifest",
            "push",
            "--all",
            "--tls-verify=false",
            "-f",
            "v2s2",
            reference,
            f"docker://{reference}",
        )
        box.run("buildah", *STORAGE, "manifest", "rm", reference)
        theirs = by_docker(box, reference)
        box.run("docker", "rmi", reference)
    with running_registry(tmp_path / "registry", port=port):
        shop = engine.project(f"services:\n  web:\n    image: {reference}\n    network_mode: none\n")
        shop.compose("lock", check=True)
        assert '"linux/arm/v7" = "sha256:' in (shop.directory / "compose.lock").read_text()
        assert by_us(engine, reference) == theirs
        engine.compose("image", "pull", "--platform", "linux/arm64", reference, check=True)
        (details,) = json.loads(engine.compose("image", "inspect", reference, check=True).stdout)
        assert details["Architecture"] == "arm64"
