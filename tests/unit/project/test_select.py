from __future__ import annotations

from pathlib import Path

import pytest

from composer.errors import UsageError
from composer.project.model import Project
from composer.project.select import select
from tests.unit.project.loading import project

TEXT = """
services:
  web: {image: i, depends_on: [api], networks: [front], volumes: ["w:/w"]}
  api:
    image: i
    depends_on: {db: {condition: service_healthy}, mail: {condition: service_started, required: false}}
    networks: [back]
  db: {image: i, networks: [back], volumes: ["d:/d"]}
  mail: {image: i, profiles: [mail]}
  tool: {image: i, profiles: [tools], depends_on: [db]}
  lost: {image: i, profiles: [lost], depends_on: [tool]}
networks: {front: , back: , unused: }
volumes: {w: , d: , unused: }
"""


@pytest.fixture
def shop(tmp_path: Path) -> Project:
    return project(tmp_path, TEXT)


def test_without_names_all_enabled_services_are_meant(shop: Project) -> None:
    part = select(shop)

    assert list(part.services) == ["web", "api", "db"]
    assert list(part.networks) == ["front", "back"]
    assert list(part.volumes) == ["w", "d"]


def test_a_named_service_brings_its_dependencies_and_what_they_use(shop: Project) -> None:
    part = select(shop, ["api"])

    assert list(part.services) == ["api", "db"]
    assert list(part.networks) == ["back"]
    assert list(part.volumes) == ["d"]


def test_without_dependencies_only_the_named_ones_are_meant(shop: Project) -> None:
    part = select(shop, ["api"], no_deps=True)

    assert list(part.services) == ["api"]
    assert part.services["api"].depends_on == {}


def test_an_optional_dependency_that_is_not_enabled_stays_away(shop: Project) -> None:
    assert list(select(shop, ["api"]).services["api"].depends_on) == ["db"]
    assert list(select(shop, ["api", "mail"]).services["api"].depends_on) == ["db", "mail"]


def test_naming_a_service_enables_it(shop: Project) -> None:
    part = select(shop, ["tool"])

    assert list(part.services) == ["db", "tool"]
    assert list(part.disabled) == ["mail", "lost"]


def test_a_dependency_in_an_inactive_profile_is_an_error_that_names_the_profile(shop: Project) -> None:
    with pytest.raises(UsageError) as caught:
        select(shop, ["lost"])
    assert caught.value.message == "`lost` depends on `tool`, which takes part only with the profile `tools`"
    assert caught.value.hint == "add `--profile tools`"


def test_an_unknown_service_is_an_error_with_a_proposal(shop: Project) -> None:
    with pytest.raises(UsageError) as caught:
        select(shop, ["wbe"])
    assert caught.value.hint == "did you mean `web`?"
