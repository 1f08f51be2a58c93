"""Every path on disk, and what it is for.

The data directory survives reboots (`COMPOSER_DATA`, else `/var/lib/composer` for root and
`$XDG_DATA_HOME/composer` for others); the run directory does not (`COMPOSER_RUN`, else `/run/composer` for root
and `$XDG_RUNTIME_DIR/composer`, or a 0700 directory under /tmp, for others). The configuration directory is the user's
own (`COMPOSER_CONFIG`, else `/etc/composer` for root and `$XDG_CONFIG_HOME/composer` for others); we only read it.

    data/state.db                   SQLite: projects, containers, networks, leases, volumes
    data/watch.db                   SQLite: what `watch` brought into each container
    data/images/                    an OCI image layout: oci-layout index.json blobs/sha256/
    data/images/composer.json       the version of what the store keeps beside that layout
    data/snapshots/<chain id>/fs    one unpacked layer each, named by its ChainID
    data/host-image/                the layer of the embedded image `host`
    data/build/cache.db             SQLite: which snapshot each step of a build made
    data/build/steps/<id>/          a step at work: what it writes, and what it needs for that
    data/build/mounts/<name>/       cache mounts of RUN steps
    data/reserve                    space for what is written to free some
    data/ground/                    the lowest layer of every container: the places that each start mounts at
    data/volumes/<name>/_data       named and anonymous volumes
    data/containers/<id>/           upper/ work/ (overlay), etc/ (hosts hostname resolv.conf), log/ (log index)
    configuration/registries.toml   mirrors, certificates and plain HTTP, by registry; the user writes it

    run/engine.sock                 the API, 0600
    run/keeper.sock                 engine -> keeper, SEQPACKET, 0600
    run/fork.sock                   client -> forkserver, 0600
    run/plane.sock                  keeper -> the data plane of one that died, SEQPACKET, 0600
    run/start.lock                  held by whoever starts the processes
    run/keeper.pid  run/engine.pid  pid and start time of each
    run/engine.log  run/keeper.log  what the processes say of themselves
    run/engine.fault                why the engine cannot start, as its API tells errors: trying again is of no use
    run/journal                     exits that the keeper reaped and the engine has not yet recorded
    run/fifo/<container id>/        stdout stderr: named pipes, directory 0700
    run/netns/<network id>          bind mounts that pin network namespaces (root only)
    run/rootfs/                     an empty directory: where a container's init mounts its root, in its own namespace
    run/files/                      another: where it mounts what secrets and configs are made on
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Paths:
    """The two roots and the names below them; nothing is created by asking."""

    data: Path
    run: Path

    @classmethod
    def from_environment(cls, environment: Mapping[str, str], uid: int) -> Paths:
        """The directories that apply to user `uid` with `environment`; see the module docstring."""
        home = Path(environment.get("HOME") or "/")
        if uid == 0:
            data, run = Path("/var/lib/composer"), Path("/run/composer")
        else:
            data = Path(environment.get("XDG_DATA_HOME") or home / ".local/share") / "composer"
            runtime = environment.get("XDG_RUNTIME_DIR")
            run = Path(runtime) / "composer" if runtime else Path(f"/tmp/composer-{uid}")
        if moved := environment.get("COMPOSER_DATA"):
            data = Path(moved).absolute()
        if moved := environment.get("COMPOSER_RUN"):
            run = Path(moved).absolute()
        return cls(data, run)

    @classmethod
    def current(cls) -> Paths:
        """The directories of this process."""
        return cls.from_environment(os.environ, os.getuid())

    @property
    def database(self) -> Path:
        return self.data / "state.db"

    @property
    def watch_ledger(self) -> Path:
        return self.data / "watch.db"

    @property
    def images(self) -> Path:
        return self.data / "images"

    @property
    def snapshots(self) -> Path:
        return self.data / "snapshots"

    @property
    def host_image(self) -> Path:
        return self.data / "host-image"

    @property
    def ground(self) -> Path:
        return self.data / "ground"

    @property
    def volumes(self) -> Path:
        return self.data / "volumes"

    @property
    def build(self) -> Path:
        return self.data / "build"

    def container(self, container_id: str) -> Path:
        return self.data / "containers" / container_id

    @property
    def engine_socket(self) -> Path:
        return self.run / "engine.sock"

    @property
    def keeper_socket(self) -> Path:
        return self.run / "keeper.sock"

    @property
    def fork_socket(self) -> Path:
        return self.run / "fork.sock"

    @property
    def plane_socket(self) -> Path:
        return self.run / "plane.sock"

    @property
    def start_lock(self) -> Path:
        return self.run / "start.lock"

    @property
    def engine_log(self) -> Path:
        return self.run / "engine.log"

    @property
    def engine_fault(self) -> Path:
        return self.run / "engine.fault"

    @property
    def keeper_log(self) -> Path:
        return self.run / "keeper.log"

    @property
    def journal(self) -> Path:
        return self.run / "journal"

    def fifos(self, container_id: str) -> Path:
        return self.run / "fifo" / container_id

    @property
    def netns(self) -> Path:
        return self.run / "netns"

    @property
    def files(self) -> Path:
        """Where a container's init makes the files that are nowhere on disk, in its own namespace."""
        return self.run / "files"

    @property
    def rootfs(self) -> Path:
        return self.run / "rootfs"


def configuration_directory(environment: Mapping[str, str], uid: int) -> Path:
    """Where the user configures composer; it need not exist."""
    if chosen := environment.get("COMPOSER_CONFIG"):
        return Path(chosen).absolute()
    if uid == 0 and not environment.get("XDG_CONFIG_HOME"):
        return Path("/etc/composer")
    home = Path(environment.get("HOME") or "/")
    return Path(environment.get("XDG_CONFIG_HOME") or home / ".config") / "composer"
