from collections.abc import Mapping

import pytest

from composer.build.dockerfile.parse import parse
from composer.build.dockerfile.references import BaseReference, ReferenceKind, references, remote_sources
from composer.build.dockerfile.source import Span
from composer.build.dockerfile.stages import Stages, link
from composer.errors import BuildError
from composer.oci.descriptor import Platform

HERE = Platform("amd64", "linux")
THERE = Platform("arm64", "linux")


def linked(
    text: str, args: Mapping[str, str] | None = None, target: str = "", contexts: tuple[str, ...] = ()
) -> Stages:
    return link(parse(text), args=args or {}, build=HERE, platform=THERE, target=target, contexts=contexts)


def titles(stages: Stages, target: str = "") -> list[str]:
    return [stage.title for stage in stages.reachable(target)]


MANY = """\
FROM a AS one
FROM b AS two
COPY --from=one /x /x
FROM c AS unused
FROM two AS Three
RUN --mount=type=bind,from=d,target=/d true
FROM three
COPY --from=1 /y /y
"""


def test_only_what_the_target_needs_is_reachable_in_file_order() -> None:
    stages = linked(MANY)

    assert titles(stages) == ["one", "two", "three", "4"]
    assert titles(stages, "TWO") == ["one", "two"]
    assert titles(stages, "2") == ["unused"]


def test_references_are_the_images_of_reachable_stages() -> None:
    assert references(linked(MANY)) == (
        BaseReference("a", "", Span(1, 1), ReferenceKind.FROM, 0),
        BaseReference("b", "", Span(2, 2), ReferenceKind.FROM, 1),
        BaseReference("d", "", Span(6, 6), ReferenceKind.MOUNT, 3),
    )


def test_arguments_choose_image_stage_and_platform() -> None:
    text = "ARG V=3\nARG B=base-$V\nFROM --platform=$BUILDPLATFORM python:${V}-slim AS base-3\nFROM $B\n"

    stages = linked(text)
    assert (stages.linked[0].image, stages.linked[0].platform) == ("python:3-slim", "linux/amd64")
    assert stages.linked[1].base is stages.dockerfile.stages[0]

    other = linked(text, {"V": "4", "B": "alpine"})
    assert (other.linked[0].image, other.linked[1].image, other.linked[1].base) == ("python:4-slim", "alpine", None)


def test_an_argument_of_a_stage_is_not_seen_by_the_next_from() -> None:
    with pytest.raises(BuildError) as caught:
        linked("FROM a\nARG V=1\nFROM ${V}\n")

    (problem,) = caught.value.diagnostics
    assert problem.message == "base name (`${V}`) should not be blank"
    assert str(problem.location) == "Dockerfile:3:6"


@pytest.mark.parametrize(
    ("text", "place", "message", "hint"),
    [
        ("FROM busybox:$TAG\n", "1:6", "cannot use `busybox:` as an image reference: `` is no tag", "`ARG TAG=…`"),
        ("ARG TAG\nFROM busybox:$TAG\n", "2:6", "cannot use `busybox:` as an image reference: `` is no tag", ""),
        ("FROM Build\nFROM x AS build\n", "1:6", "cannot use `Build` as an image reference", ""),
        ("ARG MY_ARCH\nFROM --platform=linux/$MYARCH a\n", "2:17", "cannot use `linux/` as a platform", "`MY_ARCH`?"),
        ("FROM --platform=$NONE a\n", "1:17", "platform (`$NONE`) should not be blank", "build argument `NONE`"),
        ("ARG A=${\nFROM a\n", "1:5", "failed to process `${`: syntax error: missing '}'", ""),
    ],
)
def test_a_from_that_names_nothing_is_told(text: str, place: str, message: str, hint: str) -> None:
    with pytest.raises(BuildError) as caught:
        linked(text)

    (problem,) = caught.value.diagnostics
    assert str(problem.location) == f"Dockerfile:{place}"
    assert problem.message.startswith(message)
    assert hint in problem.hint


def test_a_name_means_the_last_stage_of_that_name_before() -> None:
    stages = linked("FROM a AS x\nFROM x AS x\nFROM x\n")

    assert stages.linked[1].base is stages.dockerfile.stages[0]
    assert stages.linked[2].base is stages.dockerfile.stages[1]


def test_contexts_stand_for_stages_and_images() -> None:
    stages = linked(
        "FROM a AS base\nFROM node\nCOPY --from=base / /\nCOPY --from=conf / /\n", contexts=("base", "node", "conf")
    )

    assert references(stages) == ()
    assert titles(stages) == ["1"]


@pytest.mark.parametrize("context", ["node", "node:latest", "docker.io/library/node", "Node"])
@pytest.mark.parametrize("image", ["node", "node:latest", "docker.io/library/node:latest"])
def test_contexts_are_known_by_the_shortest_name_of_an_image(context: str, image: str) -> None:
    assert references(linked(f"FROM {image}\n", contexts=(context,))) == ()
    assert references(linked(f"FROM {image}\n", contexts=(f"{context}:20".replace(":latest", ""),))) != ()


def test_nothing_of_a_stage_counts_that_a_context_stands_in_for() -> None:
    stages = linked("FROM a AS base\nCOPY --from=b x y\nFROM base\n", contexts=("base",))

    assert list(stages.instructions(stages.dockerfile.stages[0])) == []
    assert references(stages, "base") == references(stages) == ()


def test_triggers_of_a_stage_belong_to_the_stage_built_on_it() -> None:
    stages = linked("FROM a AS src\nFROM b AS base\nONBUILD COPY --from=src /s /s\nFROM base\n")

    assert titles(stages) == ["src", "base", "2"]


@pytest.mark.parametrize(
    ("text", "target", "message"),
    [
        ("FROM a AS build\n", "biuld", "target stage `biuld` could not be found in Dockerfile"),
        ("FROM a\nCOPY --from=7 a b\n", "", "invalid stage index 7"),
        ("FROM a AS x\nCOPY --from=x a b\n", "", "cannot copy from itself"),
        ("FROM a AS x\nCOPY --from=1 a b\nFROM b\nCOPY --from=x a b\n", "", "cannot copy from stage `1`"),
        ("FROM a AS x\nCOPY --from=late a b\nFROM b AS late\n", "x", "cannot copy from stage `late`"),
    ],
)
def test_impossible_stages_are_told(text: str, target: str, message: str) -> None:
    with pytest.raises(BuildError) as caught:
        linked(text).reachable(target)

    assert caught.value.message == message


def test_urls_and_repositories_of_adds_are_known_with_their_checksums() -> None:
    text = f"""\
FROM scratch
ARG V=1
ARG ZEROS={"0" * 63}
ENV HOST=example.org
ADD --checksum=sha256:$V$ZEROS https://$HOST/$V.tgz /a/
ADD https://example.org/x.git#main:dir /b/
ADD git@example.org:x/y.git /c/
ADD local.tgz /d/
"""
    found = remote_sources(linked(text), {"V": "2"})

    assert [(source.url, source.checksum, source.is_git) for source in found] == [
        ("https://example.org/2.tgz", "sha256:2" + "0" * 63, False),
        ("https://example.org/x.git#main:dir", "", True),
        ("git@example.org:x/y.git", "", True),
    ]
