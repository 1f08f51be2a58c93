"""Compose files as data: what a user could write, valid in itself."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

NAMES = st.sampled_from(["web", "api", "db", "cache", "job"])
WORDS = st.text(
    st.characters(codec="utf-8", exclude_categories=["C", "Z"], exclude_characters="$"), min_size=1, max_size=8
)
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), max_size=8).map(
    lambda text: text.replace("$", "$$")
)
KEYS = st.from_regex(r"[A-Z][A-Z0-9_]{0,5}", fullmatch=True)
SCALARS = st.one_of(TEXT, st.integers(-9999, 9999), st.booleans())

pairs = st.one_of(
    st.dictionaries(KEYS, SCALARS, max_size=3),
    st.lists(st.builds("{}={}".format, KEYS, TEXT), max_size=3),
)
commands = st.one_of(st.none(), st.lists(TEXT, max_size=3))
durations = st.builds("{}{}".format, st.integers(0, 90), st.sampled_from(["ms", "s", "m", "h"]))
ports = st.one_of(
    st.integers(1, 65535),
    st.builds("{}:{}".format, st.integers(1, 65535), st.integers(1, 65535)),
    st.builds("127.0.0.1:{}:{}/udp".format, st.integers(1, 65535), st.integers(1, 65535)),
    st.builds("{0}-{1}:80".format, st.integers(1, 100), st.integers(101, 200)),
    st.fixed_dictionaries({"target": st.integers(1, 65535)}, optional={"protocol": st.sampled_from(["tcp", "udp"])}),
)
mounts = st.one_of(
    st.builds("./{}:/{}:{}".format, KEYS, KEYS, st.sampled_from(["ro", "rw", "z"])),
    st.builds("data:/{}".format, KEYS),
    st.builds("/{}".format, KEYS),
    st.fixed_dictionaries({"type": st.just("tmpfs"), "target": st.builds("/{}".format, KEYS)}),
)
healthchecks = st.one_of(
    st.fixed_dictionaries({"test": WORDS}, optional={"interval": durations, "retries": st.integers(0, 9)}),
    st.just({"disable": True}),
)
services: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {"image": WORDS},
    optional={
        "command": commands,
        "entrypoint": commands,
        "environment": pairs,
        "labels": pairs,
        "ports": st.lists(ports, max_size=3),
        "volumes": st.lists(mounts, max_size=3),
        "healthcheck": healthchecks,
        "restart": st.sampled_from(["no", "always", "on-failure", "on-failure:3", "unless-stopped"]),
        "stop_grace_period": durations,
        "networks": st.one_of(st.just(["back"]), st.just({"back": {"aliases": ["x"]}, "default": None})),
        "tty": st.booleans(),
        "init": st.booleans(),
        "expose": st.lists(st.integers(1, 65535), max_size=2),
        "extra_hosts": st.just(["h:1.2.3.4"]),
        "ulimits": st.just({"nofile": 10}),
        "mem_limit": st.sampled_from(["64m", 1024]),
        "hostname": WORDS,
        "x-any": st.lists(SCALARS, max_size=2),
    },
)


@st.composite
def projects(draw: st.DrawFn) -> dict[str, Any]:
    """A whole file; services depend only on those before them."""
    names = draw(st.lists(NAMES, min_size=1, unique=True))
    made: dict[str, Any] = {}
    for name in names:
        body: dict[str, Any] = draw(services)
        if draw(st.booleans()) and made:
            body["depends_on"] = draw(st.lists(st.sampled_from(list(made)), unique=True))
        made[name] = body
    return {"services": made, "networks": {"back": None}, "volumes": {"data": None}}


ATTRIBUTES = st.sampled_from(
    [
        "a",
        "web",
        "x-a",
        "target",
        "source",
        "type",
        "published",
        "test",
        "condition",
        "context",
        "path",
        "file",
        "service",
        "name",
        "external",
        "config",
        "ipam",
        "subnet",
        "gateway",
        "soft",
        "hard",
        "limits",
        "resources",
        "replicas",
        "ipv4_address",
        "aliases",
    ]
)

JUNK = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.sampled_from(
            [
                "",
                "a",
                "1",
                "-1",
                "a:b",
                "./a:/b",
                "80:80",
                "a=b",
                "service:web",
                "service:x",
                "1s",
                "no",
                "::",
                "~",
                "/",
            ]
        ),
        st.text(max_size=4).map(lambda text: text.replace("$", "$$")),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(ATTRIBUTES, inner, max_size=3)),
    max_leaves=6,
)
"""Anything that YAML can say, with a taste for what looks right."""
