"""What a project needs from elsewhere, from real files."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from composer.errors import ProjectError
from composer.lock.gather import uses_of, uses_to_run
from composer.lock.uses import Uses
from composer.project import LoadOptions, load
from composer.project.loader import Loaded


def loaded(directory: Path, compose: str, **files: str) -> Loaded:
    for name, text in {"compose.yaml": compose, **files}.items():
        path = directory / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
    return load(LoadOptions(directory=directory), {})


def uses(directory: Path, compose: str, **files: str) -> Uses:
    project = loaded(directory, compose, **files)
    return uses_of(project.project, project.origins, directory)


def names(found: Uses) -> dict[str, list[str]]:
    return {name: [use.by for use in each] for name, each in found.images.items()}


def refused(directory: Path, compose: str, **files: str) -> list[str]:
    with pytest.raises(ProjectError) as error:
        uses(directory, compose, **files)
    assert error.value.exit_code == 1
    places = [(each.location, each.message) for each in error.value.diagnostics]
    return [f"{Path(place.file).name}:{place.line}: {message}" for place, message in places if place]


def test_images_of_all_services_count_those_of_other_profiles_too(tmp_path: Path) -> None:
    found = uses(
        tmp_path,
        """\
        services:
          cache: {image: redis:7}
          cart: {image: docker.io/library/redis:7}
          debug: {image: busybox, profiles: [debug]}
        """,
    )

    assert names(found) == {"redis:7": ["cache", "cart"], "busybox:latest": ["debug"]}
    assert str(found.images["redis:7"][0].location).endswith("compose.yaml:2:18")


def test_what_is_built_here_is_not_looked_for_elsewhere(tmp_path: Path) -> None:
    compose = """\
        name: shop
        services:
          web: {image: shop/web, build: .}
          worker: {image: shop/web}
          job: {build: {context: ., dockerfile: job.Dockerfile}}
        """
    dockerfiles = {"Dockerfile": "FROM alpine:3\n", "job.Dockerfile": "FROM shop/web\nCOPY --from=shop-job /x /x\n"}

    assert names(uses(tmp_path, compose, **dockerfiles)) == {"alpine:3": ["Dockerfile"]}


DOCKERFILE = """\
ARG VERSION=3.12
ARG SLIM
FROM python:${VERSION}${SLIM:+-slim} AS base
FROM --platform=$BUILDPLATFORM golang:1.22 AS build
RUN --mount=from=tools:2,target=/tools true
FROM node:20 AS unused
FROM base AS final
COPY --from=build /x /x
COPY --from=nginx:1.25 /etc/nginx /etc/nginx
COPY --from=assets / /
ADD https://example.com/$NAME.tar.gz /
ADD --checksum=sha256:{0} https://example.com/b.tar.gz /
ADD https://example.com/lib.git#v1 /lib
""".replace("{0}", "c" * 64)


def test_dockerfiles_tell_what_they_begin_with_copy_from_and_fetch(tmp_path: Path) -> None:
    found = uses(
        tmp_path,
        """\
        services:
          web:
            build:
              context: web
              args: {SLIM: "yes"}
              target: final
              additional_contexts: {assets: "docker-image://shop/assets:1", other: "service:base"}
          base: {build: {dockerfile_inline: "FROM scratch"}}
        """,
        web__Dockerfile=DOCKERFILE.replace("$NAME", "a"),
    )

    assert names(found) == {
        "shop/assets:1": ["web"],
        "python:3.12-slim": ["web/Dockerfile"],
        "golang:1.22": ["web/Dockerfile"],
        "tools:2": ["web/Dockerfile"],
        "nginx:1.25": ["web/Dockerfile"],
    }
    assert str(found.images["nginx:1.25"][0].location).endswith("web/Dockerfile:9:1")
    assert {url: str(each[0].checksum) for url, each in found.downloads.items()} == {
        "https://example.com/a.tar.gz": "None",
        "https://example.com/b.tar.gz": f"sha256:{'c' * 64}",
    }
    assert list(found.commits) == ["https://example.com/lib.git#v1"]


def test_an_inline_dockerfile_is_read_where_it_stands(tmp_path: Path) -> None:
    found = uses(tmp_path, 'services:\n  web:\n    build: {dockerfile_inline: "FROM alpine:3"}\n')

    assert names(found) == {"alpine:3": ["web (inline)"]}
    assert str(found.images["alpine:3"][0].location).endswith("compose.yaml:3:5")


def test_a_remote_context_is_locked(tmp_path: Path) -> None:
    found = uses(
        tmp_path,
        """\
        services:
          web: {build: "https://example.com/web.git#main:src"}
          job: {build: "https://example.com/job.tar.gz"}
        """,
    )

    assert list(found.commits) == ["https://example.com/web.git#main:src"]
    assert list(found.downloads) == ["https://example.com/job.tar.gz"]
    assert found.warnings == ()


def test_whoever_builds_on_an_image_says_which_words_are_none(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(
        "FROM golang AS Build\nFROM alpine\nCOPY --from=build /a /a\nCOPY --from=tools / /\n"
    )
    found = uses(tmp_path, "services: {web: {build: {context: ., additional_contexts: {lib: ./lib}}}}\n")

    assert {name: each[0].words for name, each in found.images.items()} == {
        "alpine:latest": frozenset({"build", "lib"}),
        "golang:latest": frozenset({"build", "lib"}),
        "tools:latest": None,
    }


def test_what_is_never_pulled_is_left_out_with_a_warning(tmp_path: Path) -> None:
    found = uses(tmp_path, "services:\n  web: {image: mine, pull_policy: never}\n")

    assert found.images == {}
    assert [each.message for each in found.warnings] == ["`mine` is not locked: the pull policy of `web` is `never`"]


def test_everything_that_cannot_be_locked_is_told_at_once(tmp_path: Path) -> None:
    told = refused(
        tmp_path,
        """\
        services:
          shell: {image: host}
          gone: {build: nowhere}
          wrong: {build: {context: ., dockerfile: wrong.Dockerfile}}
          host: {build: {context: ., dockerfile: host.Dockerfile}}
        """,
        **{"wrong.Dockerfile": "FROM alpine:3\nRUN\nNOPE\n", "host.Dockerfile": "\nFROM host\n"},
    )

    assert [each.partition(": ")[0] for each in told] == [
        "compose.yaml:2",
        "compose.yaml:3",
        "wrong.Dockerfile:3",
        "host.Dockerfile:2",
    ]


def test_to_run_only_what_is_enabled_counts(tmp_path: Path) -> None:
    project = loaded(
        tmp_path,
        """\
        services:
          web: {build: .}
          cache: {image: redis:7}
          debug: {image: busybox, profiles: [debug]}
          shell: {image: host, profiles: [debug]}
        """,
        Dockerfile="FROM alpine:3\n",
    )

    def needed(*, dockerfiles: bool) -> list[str]:
        return list(uses_to_run(project.project, project.origins, tmp_path, dockerfiles=dockerfiles).images)

    assert needed(dockerfiles=True) == ["redis:7", "alpine:3"]
    assert needed(dockerfiles=False) == ["redis:7"]
