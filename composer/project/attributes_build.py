"""The attributes of a service's `build` <https://github.com/compose-spec/compose-spec/blob/main/build.md>."""

from __future__ import annotations

from composer.project import forms
from composer.project.attributes_files import GRANTS
from composer.project.records import MapOf, Record
from composer.project.rows import LABELS, PAIRS, SIZE, STRINGS, ULIMITS_DOC, of, unheard
from composer.project.shapes import Flag, Text

BUILD = Record(
    {
        "context": of(Text(), "The directory (or URL) whose files the build sees.", required=True),
        "dockerfile": of(Text(), "The Dockerfile, relative to the context."),
        "dockerfile_inline": of(Text(), "The Dockerfile's text itself."),
        "target": of(Text(), "The stage to build."),
        "args": of(PAIRS, "Values of the Dockerfile's `ARG`s; a name alone is taken from the environment."),
        "labels": LABELS,
        "additional_contexts": of(PAIRS, "More contexts, by name: a path, a URL, `docker-image://`, `service:NAME`."),
        "cache_from": of(STRINGS, "Where cached steps may come from."),
        "cache_to": of(STRINGS, "Where cached steps go."),
        "no_cache": of(Flag(), "Run every step again."),
        "no_cache_filter": of(STRINGS, "Stages whose steps are run again."),
        "pull": of(Flag(), "Look for newer base images."),
        "network": of(Text(), "The network of `RUN` steps: `host`, `none` or a name."),
        "shm_size": of(SIZE, "The size of /dev/shm."),
        "extra_hosts": of(forms.Hosts(), "More names for /etc/hosts."),
        "platforms": of(STRINGS, "The platforms to build for."),
        "tags": of(STRINGS, "More names for the image."),
        "secrets": of(GRANTS, "Secrets that `RUN --mount=type=secret` may use."),
        "ssh": of(forms.Keys(), "SSH agents or keys that `RUN --mount=type=ssh` may use: `default`, or `ID=PATH`."),
        "ulimits": of(MapOf(forms.UlimitForm()), ULIMITS_DOC),
        "privileged": of(Flag(), "Run steps with all capabilities."),
        "entitlements": of(STRINGS, "What the build may do beside the usual: `network.host`, `security.insecure`."),
        "isolation": unheard(Text(), "Only on Windows."),
        "provenance": unheard(Text(numbers=True), "Whether to attest where the image comes from."),
        "sbom": unheard(Text(numbers=True), "Whether to attest what is in the image."),
    },
    alone="context",
    title="build",
)
