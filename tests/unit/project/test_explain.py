from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from composer.errors import UsageError
from composer.project.explain import Explanation, Use, explain, to_json
from tests.unit.project.loading import load_in, write

Ask = Callable[[str], Explanation]

FILES = {
    ".env": "TAG=7\n",
    "a.env": "# first\nA=file\nB=two\n",
    "compose.yaml": """\
include: [other.yaml]
services:
  base: {image: "redis:${TAG:-6}", environment: {DEBUG: "0", X: "${X-dflt}", "with.dot": "${SHELL_SAID}"}}
  web:
    extends: base
    env_file: a.env
    environment: {A: own}
    ports: ["80:80"]
secrets: {s: {environment: SECRET}}
""",
    "compose.override.yaml": 'services:\n  web:\n    environment: {DEBUG: "1"}\n    ports: ["81:81"]\n',
    "other.yaml": "services: {db: {image: postgres}}\n",
}


@pytest.fixture
def found(tmp_path: Path) -> Ask:
    write(tmp_path, FILES)

    def ask(path: str) -> Explanation:
        return explain(load_in(tmp_path, {"SHELL_SAID": "yes", "SECRET": "hidden"}), path)

    return ask


def said(explanation: Explanation) -> list[str]:
    return [f"{Path(one.location.file).name}:{one.location.line} {one.value}" for one in explanation.said]


def test_the_last_file_wins_and_what_lost_is_shown(found: Ask) -> None:
    debug = found("services.web.environment.DEBUG")

    assert debug.value == "1"
    assert said(debug) == ["compose.override.yaml:3 1", "compose.yaml:3 0"]
    assert debug.said[1].how == "extends `base`"


def test_variables_are_told_with_what_gave_them_their_value(found: Ask) -> None:
    assert found("services.web.image").said[0].template == "redis:${TAG:-6}"
    assert found("services.web.image").said[0].uses == (Use("TAG", ".env"),)
    assert found("services.web.environment.X").said[0].uses == (Use("X", "its default"),)
    assert found("services.base.environment.with.dot").said[0].uses == (Use("SHELL_SAID", "the environment"),)


def test_an_item_of_a_merged_list_comes_from_the_file_that_has_it(found: Ask) -> None:
    assert [found(f"services.web.ports[{index}].target").said[0].location.file for index in (0, 1)] == [
        "compose.yaml",
        "compose.override.yaml",
    ]
    assert len(found("services.web.ports[0]").said) == 1


def test_a_file_whose_variable_lost_is_told(tmp_path: Path) -> None:
    write(tmp_path, {**FILES, "b.env": "TAG=8\nX=file\n"})
    loaded = load_in(tmp_path, {"X": "shell"}, env_files=(".env", "b.env"))

    assert explain(loaded, "services.base.image").said[0].uses == (Use("TAG", "b.env", ".env"),)
    assert explain(loaded, "services.base.environment.X").said[0].uses == (Use("X", "the environment", "b.env"),)


def test_an_env_file_is_shown_with_its_line(found: Ask) -> None:
    assert said(found("services.web.environment.A")) == ["compose.yaml:7 own", "a.env:2 file"]
    assert said(found("services.web.environment.B")) == ["a.env:3 two"]


def test_an_included_file_says_so(found: Ask) -> None:
    image = found("services.db.image")

    assert said(image) == ["other.yaml:1 postgres"]
    assert image.said[0].how == "included by compose.yaml"


def test_a_variable_of_an_included_file_comes_from_the_file_beside_it(tmp_path: Path) -> None:
    inner = {"mine/compose.yaml": 'services: {db: {image: "db:${TAG}-${ALL}-${OURS}"}}', "mine/.env": "TAG=5\nALL=6\n"}
    write(tmp_path, inner | {"compose.yaml": "include: [mine/compose.yaml]", ".env": "OURS=7\n"})

    told = explain(load_in(tmp_path, {"ALL": "x"}), "services.db.image")

    assert told.value == "db:5-x-7"
    files = {use.name: Path(use.source) for use in told.said[0].uses}
    assert files["TAG"].parts[-2:] == ("mine", ".env")
    assert (files["ALL"].name, files["OURS"].parts[-2:] == ("mine", ".env")) == ("the environment", False)


def test_lists_are_reached_by_index_and_what_follows_by_itself_says_so(found: Ask) -> None:
    assert found("services.web.ports[1].published").value == "81"
    assert found("services.web.ports.0.target").value == 80
    assert found("services.web.networks.default").said == ()
    assert "follows from the rest" in found("services.web.networks.default").note


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("services.wbe", "did you mean `web`?"),
        ("web.image", "did you mean `services.web`?"),
        ("services.web.image.x", "`services.web.image` is 'redis:7'"),
        ("services.web.ports[7]", "`services.web.ports` is "),
    ],
)
def test_a_path_that_leads_nowhere_gets_a_hint(found: Ask, path: str, hint: str) -> None:
    with pytest.raises(UsageError) as error:
        found(path)
    assert hint in error.value.hint


def test_no_secret_is_told(found: Ask) -> None:
    assert "hidden" not in json.dumps(to_json(found("services"))) + json.dumps(to_json(found("secrets")))
