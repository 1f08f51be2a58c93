"""Image configuration: how to run an image, and which layers it consists of.

<https://github.com/opencontainers/image-spec/blob/main/config.md>, with the fields that Docker adds to `config`:
`Healthcheck`, `Shell`, `OnBuild` and `ArgsEscaped`.

The bytes of a config are its identity (its digest is the image id), so a config that was
read is stored as it came; `to_bytes` is for those made here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from composer.errors import ImageError
from composer.oci import fields
from composer.oci.digest import Digest
from composer.oci.manifest import encode

_NANOSECONDS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Healthcheck:
    """Docker's `Healthcheck`; zero means "inherit", `test` is `("NONE",)`, `("CMD", ...)` or `("CMD-SHELL", text)`."""

    test: tuple[str, ...] = ()
    interval_seconds: float = 0
    timeout_seconds: float = 0
    start_period_seconds: float = 0
    start_interval_seconds: float = 0
    retries: int = 0

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Healthcheck:
        def seconds(key: str) -> float:
            return fields.integer(document, key, 0) / _NANOSECONDS

        return cls(
            fields.texts(document, "Test"),
            seconds("Interval"),
            seconds("Timeout"),
            seconds("StartPeriod"),
            seconds("StartInterval"),
            fields.integer(document, "Retries", 0),
        )

    def to_json(self) -> dict[str, Any]:
        durations = {
            "Interval": self.interval_seconds,
            "Timeout": self.timeout_seconds,
            "StartPeriod": self.start_period_seconds,
            "StartInterval": self.start_interval_seconds,
        }
        data: dict[str, Any] = {"Test": list(self.test)}
        data |= {key: round(value * _NANOSECONDS) for key, value in durations.items() if value}
        return data | {"Retries": self.retries} if self.retries else data


@dataclass(frozen=True, slots=True)
class History:
    """How one layer, or one change of the config, came to be."""

    created: str = ""
    created_by: str = ""
    comment: str = ""
    empty_layer: bool = False

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> History:
        return cls(
            fields.text(document, "created", ""),
            fields.text(document, "created_by", ""),
            fields.text(document, "comment", ""),
            fields.boolean(document, "empty_layer"),
        )

    def to_json(self) -> dict[str, Any]:
        data: dict[str, Any] = {
            key: value
            for key, value in (("created", self.created), ("created_by", self.created_by), ("comment", self.comment))
            if value
        }
        return data | {"empty_layer": True} if self.empty_layer else data


@dataclass(frozen=True, slots=True)
class ImageConfig:
    """What an image says about itself; absent settings are empty, layers from the bottom up."""

    architecture: str
    os: str
    diff_ids: tuple[Digest, ...] = ()
    variant: str = ""
    created: str = ""
    """RFC 3339, or empty."""
    user: str = ""
    env: tuple[str, ...] = ()
    """`NAME=value`."""
    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    working_dir: str = ""
    exposed_ports: tuple[str, ...] = ()
    """`80/tcp`; without a protocol where the image left it out."""
    volumes: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    stop_signal: str = ""
    healthcheck: Healthcheck | None = None
    shell: tuple[str, ...] = ()
    on_build: tuple[str, ...] = ()
    """Docker's `OnBuild`: instructions for images built on this one."""
    args_escaped: bool = False
    """Docker's `ArgsEscaped`: of no meaning on Linux, but builders write it."""
    author: str = ""
    history: tuple[History, ...] = ()

    @classmethod
    def parse(cls, data: bytes) -> ImageConfig:
        """The configuration in `data`. Raises ImageError for what is none."""
        document = fields.parse_object(data, "an image config")
        rootfs = fields.mapping(document, "rootfs")
        if (kind := fields.text(rootfs, "type", "layers")) != "layers":
            raise ImageError(f"cannot read an image config: rootfs of type `{kind}` instead of `layers`")
        run = fields.mapping(document, "config")
        healthcheck = fields.mapping(run, "Healthcheck")
        return cls(
            architecture=fields.text(document, "architecture", ""),
            os=fields.text(document, "os", ""),
            diff_ids=tuple(Digest.parse(diff_id) for diff_id in fields.texts(rootfs, "diff_ids")),
            variant=fields.text(document, "variant", ""),
            created=fields.text(document, "created", ""),
            user=fields.text(run, "User", ""),
            env=fields.texts(run, "Env"),
            entrypoint=fields.texts(run, "Entrypoint"),
            cmd=fields.texts(run, "Cmd"),
            working_dir=fields.text(run, "WorkingDir", ""),
            exposed_ports=tuple(sorted(fields.mapping(run, "ExposedPorts"))),
            volumes=tuple(sorted(fields.mapping(run, "Volumes"))),
            labels=fields.text_mapping(run, "Labels"),
            stop_signal=fields.text(run, "StopSignal", ""),
            healthcheck=Healthcheck.from_json(healthcheck) if healthcheck else None,
            shell=fields.texts(run, "Shell"),
            on_build=fields.texts(run, "OnBuild"),
            args_escaped=fields.boolean(run, "ArgsEscaped"),
            author=fields.text(document, "author", ""),
            history=tuple(History.from_json(entry) for entry in fields.objects(document, "history")),
        )

    def to_bytes(self) -> bytes:
        """The configuration as it is stored; the same configuration gives the same bytes."""
        run: dict[str, Any] = {
            "User": self.user,
            "ExposedPorts": {port: {} for port in sorted(self.exposed_ports)},
            "Env": list(self.env),
            "Entrypoint": list(self.entrypoint),
            "Cmd": list(self.cmd),
            "Volumes": {path: {} for path in sorted(self.volumes)},
            "WorkingDir": self.working_dir,
            "Labels": dict(sorted(self.labels.items())),
            "StopSignal": self.stop_signal,
            "Healthcheck": self.healthcheck.to_json() if self.healthcheck else None,
            "Shell": list(self.shell),
            "OnBuild": list(self.on_build),
            "ArgsEscaped": self.args_escaped,
        }
        about = {
            "created": self.created,
            "author": self.author,
            "architecture": self.architecture,
            "variant": self.variant,
            "os": self.os,
        }
        document: dict[str, Any] = {key: value for key, value in about.items() if value}
        document["config"] = {key: value for key, value in run.items() if value}
        document["rootfs"] = {"type": "layers", "diff_ids": [str(diff_id) for diff_id in self.diff_ids]}
        if self.history:
            document["history"] = [entry.to_json() for entry in self.history]
        return encode(document)


def chain_id(below: Digest | None, diff_id: Digest) -> Digest:
    """The ChainID of a layer upon the chain `below`: what the file system is after applying it (config.md)."""
    return Digest.of(f"{below} {diff_id}".encode()) if below else diff_id


def chain_ids(diff_ids: Sequence[Digest]) -> tuple[Digest, ...]:
    """The ChainID of every layer, from the bottom up."""
    chain: list[Digest] = []
    for diff_id in diff_ids:
        chain.append(chain_id(chain[-1] if chain else None, diff_id))
    return tuple(chain)
