import os
from pathlib import Path

import pytest

from composer.api import neighbour
from composer.api.neighbour import Neighbour, find_neighbour
from composer.paths import Paths
from tests.fakes.engine import Server


def test_an_engine_at_a_place_of_ones_own_has_no_neighbour() -> None:
    assert find_neighbour({"COMPOSER_RUN": "/x", "SUDO_UID": "1000"}, 0) is None


def test_root_without_sudo_has_no_neighbour() -> None:
    assert find_neighbour({}, 0) is None
    assert find_neighbour({"SUDO_UID": "0"}, 0) is None
    assert find_neighbour({"SUDO_UID": "../x"}, 0) is None


def test_the_other_engines_projects_are_asked_for(tmp_path: Path) -> None:
    with Server(tmp_path / "engine.sock") as server:
        server.engine.start("shop", "web", 1, "nginx")

        assert neighbour._projects(Paths(tmp_path, tmp_path), os.getuid()) == ("shop",)


def test_a_directory_that_is_not_theirs_is_not_believed(tmp_path: Path) -> None:
    with Server(tmp_path / "engine.sock"):
        assert neighbour._projects(Paths(tmp_path, tmp_path), os.getuid() + 1) is None
    assert neighbour._projects(Paths(tmp_path, tmp_path / "none"), os.getuid()) is None


@pytest.mark.parametrize(
    ("other", "sentence"),
    [
        (Neighbour("alice", ("shop",)), "there is another engine with `shop`, of user alice; use it without sudo"),
        (Neighbour("root"), "there is another engine, of user root; use it with sudo"),
    ],
)
def test_the_sentence_says_how_to_reach_it(other: Neighbour, sentence: str) -> None:
    assert other.sentence() == sentence
