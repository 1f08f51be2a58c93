from __future__ import annotations

import json

import pytest

from composer.errors import ImageError
from composer.oci.config import Healthcheck, History, ImageConfig, chain_ids
from composer.oci.digest import Digest

FULL = ImageConfig(
    architecture="arm64",
    os="linux",
    diff_ids=(Digest.of(b"a"), Digest.of(b"b")),
    variant="v8",
    created="2024-01-02T03:04:05Z",
    user="app:staff",
    env=("PATH=/bin", "EMPTY="),
    entrypoint=("/init",),
    cmd=("serve", "--all"),
    working_dir="/srv",
    exposed_ports=("53/udp", "80/tcp"),
    volumes=("/data",),
    labels={"a": "1"},
    stop_signal="SIGINT",
    healthcheck=Healthcheck(("CMD", "true"), 30, 1.5, 2, 0.5, 3),
    shell=("/bin/bash", "-c"),
    history=(History(created_by="COPY"), History(comment="x", empty_layer=True)),
)


def test_a_config_reads_back_as_itself() -> None:
    assert ImageConfig.parse(FULL.to_bytes()) == FULL
    assert ImageConfig.parse(ImageConfig("amd64", "linux").to_bytes()) == ImageConfig("amd64", "linux")


def test_a_config_as_docker_writes_it_is_understood() -> None:
    data = {
        "architecture": "amd64",
        "os": "linux",
        "config": {
            "Hostname": "",
            "User": "",
            "Env": ["PATH=/usr/bin"],
            "Cmd": ["redis-server"],
            "ArgsEscaped": True,
            "Entrypoint": None,
            "OnBuild": None,
            "Labels": None,
            "Volumes": {"/data": {}},
            "ExposedPorts": {"6379/tcp": {}},
            "Healthcheck": {"Test": ["CMD-SHELL", "redis-cli ping"], "Interval": 5000000000},
        },
        "rootfs": {"type": "layers", "diff_ids": [str(Digest.of(b"a"))]},
        "history": [{"created": "2024-01-02T03:04:05.123456789Z", "empty_layer": True}],
    }

    config = ImageConfig.parse(json.dumps(data).encode())

    assert (config.cmd, config.entrypoint, config.volumes) == (("redis-server",), (), ("/data",))
    assert config.exposed_ports == ("6379/tcp",)
    assert config.healthcheck == Healthcheck(("CMD-SHELL", "redis-cli ping"), interval_seconds=5)


@pytest.mark.parametrize(
    "document",
    [
        {"rootfs": {"type": "windows"}},
        {"rootfs": {"diff_ids": ["x"]}},
        {"config": []},
        {"config": {"Env": "PATH=/bin"}},
        {"config": {"Cmd": [1]}},
        {"config": {"Healthcheck": {"Retries": -1}}},
        {"architecture": 1},
    ],
)
def test_a_config_of_the_wrong_types_is_refused(document: object) -> None:
    with pytest.raises(ImageError, match="cannot"):
        ImageConfig.parse(json.dumps(document).encode())


def test_chain_ids_follow_the_specification() -> None:
    a, b, c = Digest.of(b"a"), Digest.of(b"b"), Digest.of(b"c")
    ab = Digest.of(f"{a} {b}".encode())

    assert chain_ids((a, b, c)) == (a, ab, Digest.of(f"{ab} {c}".encode()))
    assert chain_ids(()) == ()
