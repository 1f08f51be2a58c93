"""What a Compose file's `build` adds."""

from tests.build_corpus.case import Case, Link

_CONTEXTS = {"additional_contexts": {"more": "./more", "image": "docker-image://busybox:1"}}

CASES = (
    Case(
        "compose-cache-from-nothing",
        "FROM busybox:1\nCOPY a /a\nRUN cat /a > /b\n",
        {"a": "a\n"},
        build={"cache_from": ["type=local,src=./nowhere"]},
    ),
    Case(
        "compose-inline",
        "",
        {"a": "a\n"},
        build={"dockerfile_inline": "FROM busybox:1\nCOPY a /a\nRUN echo inline > /b\n"},
    ),
    Case(
        "compose-dockerfile",
        "",
        {"docker/Dockerfile.prod": "FROM busybox:1\nCOPY a /a\n", "a": "a\n"},
        build={"dockerfile": "docker/Dockerfile.prod"},
    ),
    Case(
        "compose-dockerfile-beside",
        "",
        {"../Outside": "FROM busybox:1\nCOPY . /all\n", "a": "a\n"},
        build={"dockerfile": "../Outside"},
    ),
    Case(
        "compose-args-list", "FROM busybox:1\nARG A\nARG B=x\nRUN echo $A $B > /out\n", build={"args": ["A=1", "B=2"]}
    ),
    Case(
        "compose-args-types",
        "FROM busybox:1\nARG A\nARG B\nARG C\nRUN echo $A $B $C > /out\n",
        build={"args": {"A": 1, "B": True, "C": 1.5}},
    ),
    Case(
        "compose-labels",
        "FROM busybox:1\nLABEL a=dockerfile b=dockerfile\n",
        build={"labels": {"a": "compose", "c": "compose"}},
    ),
    Case(
        "compose-target",
        "FROM busybox:1 AS dev\nRUN echo dev > /dev-file\nFROM busybox:1 AS prod\nRUN exit 5\n",
        build={"target": "dev"},
    ),
    Case(
        "compose-contexts",
        "FROM image AS base\nCOPY --from=more f /f\nRUN --mount=from=more,target=/m cp /m/f /g\n",
        {"../more/f": "more\n"},
        build=_CONTEXTS,
    ),
    Case(
        "compose-context-replaces-image",
        "FROM whatever:9\nRUN echo x > /x\n",
        build={"additional_contexts": {"whatever:9": "docker-image://busybox:1"}},
    ),
    Case(
        "compose-context-replaces-stage",
        "FROM busybox:1 AS one\nRUN exit 7\nFROM busybox:1\nCOPY --from=one f /f\n",
        {"../more/f": "more\n"},
        build={"additional_contexts": {"one": "./more"}},
    ),
    Case(
        "compose-extra-hosts",
        "FROM busybox:1\nRUN grep -E 'one|two' /etc/hosts | tr '\\t' ' ' | sort > /out\n",
        build={"extra_hosts": ["one=10.0.0.1", "two:10.0.0.2"]},
    ),
    Case(
        "compose-shm-size",
        "FROM busybox:1\nRUN df -P /dev/shm | tail -1 | awk '{print $2}' > /size\n",
        build={"shm_size": "128m"},
        differs="Docker Compose 2.26 does not pass it on",
    ),
    Case(
        "compose-ulimits",
        "FROM busybox:1\nRUN ulimit -n > /files\n",
        build={"ulimits": {"nofile": {"soft": 500, "hard": 600}}},
    ),
    Case("compose-network-none", "FROM busybox:1\nRUN ls /sys/class/net > /links\n", build={"network": "none"}),
    Case(
        "compose-secret-target",
        "FROM busybox:1\nRUN --mount=type=secret,id=named wc -c < /run/secrets/named > /length\n",
        {"../token": "s3cr3t"},
        build={"secrets": [{"source": "token", "target": "named"}]},
        top={"secrets": {"token": {"file": "./token"}}},
        newer=True,
    ),
    Case("compose-platform", "FROM busybox:1\nRUN uname -m > /machine\n", build={"platforms": ["linux/amd64"]}),
    Case(
        "compose-context-link",
        "",
        {"../real/Dockerfile": "FROM busybox:1\nCOPY a /a\n", "../real/a": "a\n", "../link": Link("real")},
        build={"context": "./link"},
    ),
    Case("compose-git-context", "", build={"context": "@GIT@"}),
    Case("compose-git-context-directory", "", build={"context": "@GIT@#v1:sub"}),
    Case("compose-no-cache", "FROM busybox:1\nRUN echo x > /x\n", build={"no_cache": True}),
    Case("compose-missing-dockerfile", "", {"a": "a"}, fails="Dockerfile"),
    Case("compose-unknown-target", "FROM busybox:1\n", build={"target": "nothing"}, fails="nothing"),
)
