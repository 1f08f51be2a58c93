"""The example that is built from Dockerfiles: from an empty store to a page that works, and back to work on it."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.e2e.browser import rendered
from tests.e2e.harness import REPOSITORY, Engine, Project, Result, ScenarioError, eventually, fetch
from tests.make.ports import free_port

_LONG = 600.0


@dataclass
class Site:
    """The project, and where it is reached."""

    project: Project
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def compose(self, *arguments: str) -> Result:
        """A command that must succeed."""
        return self.project.compose(*arguments, environment={"PORT": str(self.port)}, timeout=_LONG, check=True)

    def edit(self, path: str, old: str, new: str) -> None:
        """Change a source file in one place."""
        file = self.project.directory / path
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new))

    def containers(self) -> dict[str, str]:
        """Ids by service."""
        listed = self.project.compose("ps", "--format", "json", environment={"PORT": str(self.port)}, check=True)
        return {entry["Service"]: entry["ID"] for entry in map(json.loads, listed.stdout.splitlines())}

    def program(self) -> str:
        """What the page's script is."""
        found = re.search(r'src="(/assets/[^"]+\.js)"', fetch(f"{self.url}/"))
        assert found
        return fetch(self.url + found[1])

    def greeting(self) -> str:
        return str(json.loads(fetch(f"{self.url}/api/tasks"))["greeting"])


@pytest.fixture
def site(connected: Engine) -> Iterator[Site]:
    directory = connected.home / "webapp"
    shutil.rmtree(directory, ignore_errors=True)
    shutil.copytree(REPOSITORY / "examples/webapp", directory)
    site = Site(Project(connected, directory), free_port())
    yield site
    site.compose("down", "-v", "-t", "2")


def check_the_api(site: Site) -> None:
    listed = json.loads(fetch(f"{site.url}/api/tasks"))
    assert [task["title"] for task in listed["tasks"]] == ["Write a compose file", "Bring it up"]


def test_it_comes_up_from_an_empty_store_and_an_edited_file_concerns_one_service(site: Site) -> None:
    up = site.compose("up", "-d", "--wait")
    assert "Built" in up.output
    check_the_api(site)
    assert "served by composer" in site.program()
    before = site.containers()
    assert site.compose("up", "-d", "--wait").output.count("Built") == 0
    assert site.containers() == before

    site.edit("web/src/App.jsx", "served by composer", "served afresh")
    again = site.compose("up", "-d", "--wait")

    assert "Building (src/App.jsx changed)" in again.output
    assert "served afresh" in site.program()
    after = site.containers()
    assert after.pop("web") != before.pop("web")
    assert after == before


def test_while_it_is_watched_an_edited_file_is_in_its_service_at_once(site: Site) -> None:
    site.compose("up", "-d", "--wait", "--watch")
    before = site.containers()

    site.edit("api/tasks.py", "Things to do", "Things to do today")
    eventually(lambda: _answer(site) == "Things to do today")
    assert site.containers() == before  # restarted, not made anew

    site.edit("web/src/App.jsx", "served by composer", "served afresh")
    eventually(lambda: "served afresh" in _program(site), 90)
    after = site.containers()
    assert (after["api"], after["db"]) == (before["api"], before["db"])


@pytest.mark.soak
def test_its_page_works_in_a_browser_and_follows_the_source(site: Site) -> None:
    site.compose("up", "-d", "--wait", "--watch")

    page = rendered(site.url)
    assert "<h1>Things to do</h1>" in page
    assert '<li class="">Bring it up</li>' in page

    site.edit("api/tasks.py", "Things to do", "Things to do today")
    eventually(lambda: "<h1>Things to do today</h1>" in rendered(site.url))
    site.edit("web/src/App.jsx", "served by composer", "served afresh")
    eventually(lambda: "served afresh" in rendered(site.url), 90)


def _answer(site: Site) -> str:
    """ "" while the API restarts."""
    try:
        return site.greeting()
    except (OSError, ScenarioError):
        return ""


def _program(site: Site) -> str:
    """ "" while the front end is replaced."""
    try:
        return site.program()
    except (OSError, ScenarioError):
        return ""
