from dataclasses import replace

import pytest

from composer.build.keys import quick_key, step_key
from composer.build.operations import (
    CopyOperation,
    MountKind,
    Part,
    RunMount,
    RunOperation,
    Sharing,
    Source,
    SourceKind,
)
from composer.build.options import Limit

RUN = RunOperation(("sh", "-c", "make"), (("A", "1"), ("B", "2")))
CACHE = RunMount(MountKind.CACHE, "/cache", id="cache", mode=0o755)
COPY = CopyOperation((Part(Source(SourceKind.CONTEXT), ("a",)),), "/dst/")


def key(operation: RunOperation | CopyOperation, below: str = "below", content: str = "content") -> str:
    return step_key(operation, below, [content], None)


@pytest.mark.parametrize(
    "other",
    [
        replace(RUN, argv=("sh", "-c", "make all")),
        replace(RUN, environment=(("A", "1"), ("B", "3"))),
        replace(RUN, environment=(("A", "1"),)),
        replace(RUN, cwd="/app"),
        replace(RUN, user="app"),
        replace(RUN, network="none"),
        replace(RUN, insecure=True),
        replace(RUN, script=("/dev/pipes/x", b"#!/bin/sh")),
        replace(RUN, shm_size=1),
        replace(RUN, ulimits=(Limit("nofile", 1, 2),)),
        replace(RUN, extra_hosts=(("db", "10.0.0.1"),)),
        replace(RUN, mounts=(CACHE,)),
        replace(RUN, mounts=(replace(CACHE, id="other"),)),
        replace(RUN, mounts=(RunMount(MountKind.SECRET, "/run/secrets/x", id="x"),)),
    ],
)
def test_what_a_run_depends_on_changes_its_key(other: RunOperation) -> None:
    assert key(other) != key(RUN)


@pytest.mark.parametrize(
    "other",
    [
        replace(RUN, environment=(("B", "2"), ("A", "1"))),
        replace(RUN, proxies=(("HTTP_PROXY", "http://secret@proxy"),)),
    ],
)
def test_what_a_run_does_not_depend_on_leaves_its_key(other: RunOperation) -> None:
    assert key(other) == key(RUN)


def test_the_address_of_an_extra_host_does_not_count() -> None:
    hosts = [replace(RUN, extra_hosts=(("db", address),)) for address in ("10.0.0.1", "10.0.0.2")]

    assert key(hosts[0]) == key(hosts[1])


def test_the_vertex_that_something_is_read_from_counts_by_its_content_alone() -> None:
    one, other = (
        replace(RUN, mounts=(RunMount(MountKind.BIND, "/b", Source(SourceKind.STAGE, vertex=vertex)),))
        for vertex in (1, 2)
    )

    assert key(one) == key(other)
    assert key(one) != key(one, content="other")


def test_a_copy_counts_by_what_is_copied_and_where_it_goes() -> None:
    renamed = replace(COPY, parts=(Part(Source(SourceKind.CONTEXT, "other"), ("b",)),))

    assert key(renamed) == key(COPY)
    assert key(COPY, content="other") != key(COPY)
    assert key(replace(COPY, destination="/dst")) != key(COPY)
    assert key(replace(COPY, owner="app")) != key(COPY)
    assert key(COPY, below="other") != key(COPY)


def test_a_quick_key_knows_the_pattern_since_it_does_not_know_the_content() -> None:
    other = replace(COPY, parts=(Part(Source(SourceKind.CONTEXT), ("b",)),))

    assert quick_key(COPY, "below", ["stage"], None) != quick_key(other, "below", ["stage"], None)
    assert quick_key(COPY, "below", ["stage"], None) != step_key(COPY, "below", ["stage"], None)


def test_how_a_cache_is_shared_is_part_of_the_definition() -> None:
    assert key(replace(RUN, mounts=(CACHE,))) != key(replace(RUN, mounts=(replace(CACHE, sharing=Sharing.LOCKED),)))


def test_the_epoch_is_part_of_the_key() -> None:
    assert step_key(RUN, "below", [], 1) != step_key(RUN, "below", [], None)
