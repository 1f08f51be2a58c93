"""Compose files drawn from the table of attributes itself: every attribute, in every form that its shape allows.

Only what Docker Compose 2.26 knows, so that it can judge; what refers to something refers to what is there.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from composer.project import forms
from composer.project.attributes import NETWORK, SERVICE, VOLUME
from composer.project.attributes_devices import Device, Gpus
from composer.project.mounts import MountEntry
from composer.project.ports import Ports
from composer.project.records import ListOf, MapOf, Record
from composer.project.shapes import Anything, Flag, Parsed, Real, Shape, Text, Whole

Strategy = st.SearchStrategy[Any]

WORDS = st.sampled_from(
    ["a", "b", "web", "x-y", "1", "3.10", "true", "no", "on", "a b", "ä", "~", "null", "017", "a:b"]
)
KEYS = st.sampled_from(["A", "B", "C_1", "lower", "with.dot"])
PLACES = st.sampled_from(["srv", "B_1", "lower", "with.dot"])
NETWORKS = ("front", "back", "default")

_NEWER = frozenset(
    {
        "attach", "gpus", "models", "provider", "post_start", "pre_start", "pre_stop", "pull_refresh_after", "label_file",
        "use_api_socket", "develop", "no_cache_filter", "provenance", "sbom", "gw_priority", "interface_name",
        "start_interval", "recursive", "image.subpath", "enable_ipv4", "isolation", "include", "template_driver",
        "entitlements", "options", "cpu_percent", "credential_spec", "name", "app_protocol", "cgroup", "labels_of_mount",
        "format", "link_local_ips", "driver_opts",
    }
)  # fmt: skip
"""What version 2.26 does not know, or treats in a way that the page of differences tells of."""


def values(shape: Shape, name: str = "") -> Strategy:  # noqa: C901 - one case for each shape
    """What one may write for a shape; `name` is the attribute's, for those whose words matter."""
    if name in _NAMED:
        return _NAMED[name]
    match shape:
        case Flag():
            return st.booleans()
        case Whole(minimum, maximum):
            return st.integers(max(minimum or 0, 0), min(maximum or 2000, 2000))
        case Real():
            return st.sampled_from([1, 0.5, 2.25, "1.5"])
        case Text(_, choices) if choices:
            return st.sampled_from(choices)
        case Text(numbers):
            return st.one_of(WORDS, st.integers(0, 9), st.booleans()) if numbers else WORDS
        case Parsed(_, _, examples):
            return st.sampled_from(examples or ("1",))
        case ListOf(item, alone):
            several = st.lists(values(item), min_size=1, max_size=3, unique_by=str)
            return st.one_of(several, values(item)) if alone else several
        case MapOf(value):
            return st.dictionaries(KEYS, values(value), max_size=2)
        case Record(attributes, alone):
            whole = record(shape)
            return st.one_of(whole, values(attributes[alone].shape, alone)) if alone else whole
        case forms.Either(scalar, mapping):
            return st.one_of(values(scalar), values(mapping))
        case forms.Words():
            return st.one_of(st.lists(WORDS, max_size=3), st.just("echo 'a b' c"), st.none())
        case forms.Pairs():
            scalars = st.one_of(WORDS, st.integers(-9, 9), st.booleans(), st.none())
            lines = st.lists(st.builds("{}={}".format, KEYS, WORDS), max_size=3, unique_by=str)
            return st.one_of(st.dictionaries(KEYS, scalars, max_size=3), lines)
        case _:
            return _FORMS[type(shape)]


def record(shape: Record, without: frozenset[str] = frozenset()) -> Strategy:
    """A mapping with any of the record's attributes."""
    usable = {key: row for key, row in shape.attributes.items() if key not in _NEWER and key not in without}
    needed = {key: values(row.shape, key) for key, row in usable.items() if row.required}
    optional = {key: values(row.shape, key) for key, row in usable.items() if not row.required}
    return st.fixed_dictionaries(needed, optional=optional)


_PORT = st.integers(1, 65535)
_ADDRESSES = st.sampled_from(["1.2.3.4", "10.0.0.9", "::1"])
_FORMS: dict[type, Strategy] = {
    Anything: WORDS,
    forms.Probe: st.one_of(WORDS, st.just(["CMD", "true"]), st.just(["NONE"]), st.just(["CMD-SHELL", "a b"])),
    forms.Keys: st.just(["default"]),
    forms.Hosts: st.one_of(
        st.dictionaries(KEYS, _ADDRESSES, max_size=2),
        st.lists(st.builds("{}:{}".format, KEYS, _ADDRESSES), max_size=2, unique=True),
        st.just(["h=host-gateway"]),
    ),
    forms.UlimitForm: st.one_of(
        st.integers(0, 99), st.fixed_dictionaries({"soft": st.integers(0, 9), "hard": st.integers(9, 99)})
    ),
    Ports: st.lists(
        st.one_of(
            _PORT,
            st.builds("{}:{}".format, _PORT, _PORT),
            st.builds("127.0.0.1:{}:{}/udp".format, _PORT, _PORT),
            st.sampled_from(
                ["3000-3002:4000-4002", "9000-9010:80", "[::1]:80:80", "80/udp", "7000-7001", "0.0.0.0:1:1"]
            ),
            st.fixed_dictionaries(
                {"target": st.integers(1, 99)},
                optional={
                    "published": st.sampled_from(["80", "8000-8010", 9]),
                    "protocol": st.sampled_from(["tcp", "udp"]),
                    "mode": st.sampled_from(["host", "ingress"]),
                    "host_ip": st.just("127.0.0.1"),
                },
            ),
        ),
        max_size=3,
    ),
    Device: st.sampled_from(["/dev/fuse", "/dev/a:/dev/b", "/dev/a:/dev/c:r"]),
    Gpus: st.nothing(),
    MountEntry: st.one_of(
        st.builds(
            "./{}:/{}:{}".format, PLACES, PLACES, st.sampled_from(["ro", "rw", "z", "rw,Z", "rprivate", "cached"])
        ),
        st.builds("{}:/{}".format, st.sampled_from(["data", "~/x", "../up", "/abs", "."]), PLACES),
        st.builds("/{}".format, PLACES),
        st.builds("data:/{}:nocopy".format, PLACES),
        st.fixed_dictionaries(
            {
                "type": st.just("bind"),
                "source": st.sampled_from([".", "./a", "/a", "~"]),
                "target": st.builds("/{}".format, PLACES),
            },
            optional={
                "read_only": st.booleans(),
                "bind": st.fixed_dictionaries(
                    {},
                    optional={
                        "create_host_path": st.booleans(),
                        "propagation": st.just("rslave"),
                        "selinux": st.just("z"),
                    },
                ),
            },
        ),
        st.fixed_dictionaries(
            {"type": st.just("volume"), "target": st.builds("/{}".format, PLACES)},
            optional={
                "source": st.just("data"),
                "volume": st.fixed_dictionaries({}, optional={"nocopy": st.booleans(), "subpath": st.just("s")}),
            },
        ),
        st.fixed_dictionaries(
            {"type": st.just("tmpfs"), "target": st.builds("/{}".format, PLACES)},
            optional={
                "tmpfs": st.fixed_dictionaries(
                    {}, optional={"size": st.sampled_from([0, 1024, "1m"]), "mode": st.sampled_from([0o755, 493])}
                )
            },
        ),
    ),
}

_GRANTED = st.lists(
    st.one_of(
        st.just("one"),
        st.fixed_dictionaries(
            {"source": st.sampled_from(["one", "two"])},
            optional={
                "target": st.sampled_from(["t", "/t"]),
                "uid": st.just("1"),
                "gid": st.just("2"),
                "mode": st.sampled_from([0o440, 0o400]),
            },
        ),
    ),
    max_size=3,
)
_NAMED: dict[str, Strategy] = {
    "image": st.sampled_from(["i", "r.example/a/b:1", "busybox@sha256:" + "0" * 64]),
    "context": st.sampled_from([".", "./dir", "../up", "https://example.com/a.git", "/abs"]),
    "dockerfile_inline": st.just("FROM scratch\nCOPY a b\n"),
    "additional_contexts": st.sampled_from([["a=./dir"], {"a": "docker-image://b", "c": ".."}]),
    "platforms": st.just(["linux/amd64"]),
    "platform": st.just("linux/amd64"),
    "container_name": st.nothing(),
    "dockerfile": st.sampled_from(["Dockerfile", "sub/other.Dockerfile"]),
    "replicas": st.integers(0, 1),
    "group_add": st.lists(st.one_of(WORDS, st.integers(0, 9)), min_size=1, max_size=3, unique_by=str),
    "storage_opt": st.just({"size": "1G"}),
    "memory": st.sampled_from(["64m", "1gb", "1024"]),
    "restart": st.sampled_from(["no", "always", "on-failure", "on-failure:3", "unless-stopped"]),
    "pull_policy": st.sampled_from(["always", "never", "missing", "if_not_present", "build"]),
    "stop_signal": st.sampled_from(["SIGTERM", "USR1", "9"]),
    "network_mode": st.sampled_from(["none", "host"]),
    "mode": st.sampled_from(["replicated", "global"]),
    "ssh": st.just(["default"]),
    "secrets": _GRANTED,
    "configs": _GRANTED,
    "extends": st.nothing(),
    "env_file": st.just([{"path": "./no.env", "required": False}]),
    "depends_on": st.nothing(),
    "links": st.nothing(),
    "volumes_from": st.nothing(),
    "networks": st.one_of(
        st.lists(st.sampled_from(NETWORKS), unique=True, max_size=2),
        st.dictionaries(
            st.sampled_from(NETWORKS),
            st.one_of(
                st.none(),
                st.fixed_dictionaries(
                    {},
                    optional={
                        "aliases": st.lists(st.sampled_from(["x", "y"]), max_size=2),
                        "priority": st.integers(0, 9),
                        "mac_address": st.just("02:42:ac:11:00:02"),
                    },
                ),
            ),
            max_size=2,
        ),
    ),
    "ipc": st.sampled_from(["host", "shareable", "private"]),
    "pid": st.just("host"),
    "uts": st.just("host"),
    "userns_mode": st.just("host"),
    "ipam": st.fixed_dictionaries(
        {},
        optional={
            "driver": st.just("default"),
            "config": st.sampled_from(
                [
                    [{"subnet": "10.5.0.0/24"}],
                    [{"subnet": "10.6.0.0/16", "gateway": "10.6.0.1", "ip_range": "10.6.1.0/24"}],
                ]
            ),
        },
    ),
    "external": st.nothing(),
    "driver": st.sampled_from(["bridge", ""]),
    "logging": st.fixed_dictionaries(
        {},
        optional={
            "driver": st.sampled_from(["json-file", "none", "local"]),
            "options": st.dictionaries(KEYS, st.sampled_from(["a", 1]), max_size=2),
        },
    ),
    "healthcheck": st.one_of(
        st.just({"test": ["CMD", "true"], "disable": False}),
        st.fixed_dictionaries(
            {"test": st.one_of(WORDS, st.just(["CMD", "true"]))},
            optional={
                "interval": st.sampled_from(["1s", "1m30s", "1.5h"]),
                "timeout": st.just("500ms"),
                "retries": st.integers(0, 9),
                "start_period": st.just("0s"),
            },
        ),
    ),
    "profiles": st.lists(st.sampled_from(["dev", "test"]), max_size=2, unique=True),
    "sysctls": st.sampled_from([{"net.core.somaxconn": 1024}, ["net.ipv4.ip_forward=1"]]),
    "uid": st.just("1"),
    "device_ids": st.nothing(),
    "security_opt": st.just(["no-new-privileges:true"]),
    "external_links": st.just(["db"]),
    "gid": st.just("1"),
}


@st.composite
def files(draw: st.DrawFn, names: tuple[str, ...] = ("web", "api", "db"), whole: bool = True) -> dict[str, Any]:
    """A Compose file; with `whole` false, one to be merged over such a file."""
    services: dict[str, Any] = {}
    for name in draw(st.lists(st.sampled_from(names), min_size=1, unique=True)):
        without = draw(st.sampled_from([frozenset({"network_mode"}), frozenset({"networks", "ports"})]))
        body: dict[str, Any] = draw(
            record(SERVICE, without | {"scale", "cpus", "mem_limit", "mem_reservation", "pids_limit"})
        )
        if isinstance(body.get("build"), dict) and "dockerfile_inline" in body["build"]:
            body["build"].pop("dockerfile", None)
        if whole and not {"image", "build"} & body.keys():
            body["image"] = "i"
        others = st.sampled_from([*services] or [name])
        waits = draw(st.sampled_from(["waits", ""]))
        if services and waits:
            body["depends_on"] = draw(
                st.one_of(
                    st.lists(others, unique=True, max_size=2),
                    st.dictionaries(
                        others,
                        st.fixed_dictionaries(
                            {"condition": st.sampled_from(["service_started", "service_healthy"])},
                            optional={"restart": st.booleans(), "required": st.booleans()},
                        ),
                        max_size=2,
                    ),
                )
            )
        services[name] = body
    networks = {name: draw(st.one_of(st.none(), record(NETWORK))) for name in ("front", "back")}
    return {
        "services": services,
        "networks": networks,
        "volumes": {"data": draw(st.one_of(st.none(), record(VOLUME, frozenset({"driver"}))))},
        "secrets": {"one": {"file": "./one"}, "two": {"environment": "TWO"}},
        "configs": {"one": {"content": "a $$ b"}, "two": {"file": "../two"}},
        **draw(st.fixed_dictionaries({}, optional={"x-any": WORDS, "version": st.just("3.8")})),
    }
