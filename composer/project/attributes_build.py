"""The attributes of a service's `build` <https://github.com/compose-spec/compose-spec/blob/main/build.md>."""

from __future__ import annotations

from composer.project import forms
from composer.project.attributes_files import BUILD_GRANTS
from composer.project.records import MapOf, Record
from composer.project.rows import LABELS, PAIRS, SIZE, STRINGS, ULIMITS_DOC, of, unheard
from composer.project.shapes import Flag, Text

BUILD = Record(
    {
        "context": of(
            Text(),
            "The directory (or URL) whose files the build sees.",
            default=".",
            examples=(".", "./app", "https://github.com/owner/app.git#main"),
        ),
        "dockerfile": of(Text(), "The Dockerfile, relative to the context.", default="Dockerfile"),
        "dockerfile_inline": of(Text(), "The Dockerfile's text itself.", examples=("FROM alpine\nRUN apk add curl\n",)),
        "entitlements": of(
            STRINGS,
            "What the build may do beside the usual: `network.host`, `security.insecure`.",
            examples=(["network.host"],),
        ),
        "args": of(
            PAIRS,
            "Values of the Dockerfile's `ARG`s; a name alone is taken from the environment.",
            examples=({"VERSION": "1.2"}, ["VERSION"]),
        ),
        "ssh": of(
            forms.Keys(),
            "SSH agents or keys that `RUN --mount=type=ssh` may use: `default`, or `ID=PATH`.",
            examples=(["default"], ["key=./id_ed25519"]),
        ),
        "labels": LABELS,
        "cache_from": of(
            STRINGS,
            "Where cached steps may come from: a reference, `type=registry,…`, `type=local,src=…`.",
            examples=(["type=registry,ref=example/app:cache"],),
        ),
        "cache_to": of(
            STRINGS, "Where cached steps go: a reference, `type=registry,…`, `type=local,dest=…`, `type=inline`."
        ),
        "no_cache": of(Flag(), "Run every step again.", default=False),
        "additional_contexts": of(
            PAIRS,
            "More contexts, by name: a path, a URL, `docker-image://`, `service:NAME`.",
            examples=({"base": "service:base"},),
        ),
        "pull": of(Flag(), "Look for newer base images.", default=False),
        "extra_hosts": of(forms.Hosts(), "More names for /etc/hosts."),
        "isolation": unheard(Text(), "Only on Windows."),
        "network": of(
            Text(),
            "The network of `RUN` steps: `default`, `host`, `none`, one of the project's, or `service:NAME`.",
            examples=("host", "none"),
        ),
        "target": of(Text(), "The stage to build.", examples=("dev",)),
        "secrets": of(BUILD_GRANTS, "Secrets that `RUN --mount=type=secret` may use."),
        "shm_size": of(SIZE, "The size of /dev/shm."),
        "tags": of(STRINGS, "More names for the image.", examples=(["example/app:1.2"],)),
        "ulimits": of(MapOf(forms.UlimitForm()), ULIMITS_DOC),
        "platforms": of(
            STRINGS,
            "The platforms to build for: `up` builds that which runs here, `build` an index of all.",
            examples=(["linux/amd64", "linux/arm64"],),
        ),
        "privileged": of(Flag(), "Run steps with all capabilities.", default=False),
        "no_cache_filter": of(STRINGS, "Stages whose steps are run again."),
        "provenance": unheard(Text(numbers=True), "Whether to attest where the image comes from."),
        "sbom": unheard(Text(numbers=True), "Whether to attest what is in the image."),
    },
    alone="context",
    title="build",
)
