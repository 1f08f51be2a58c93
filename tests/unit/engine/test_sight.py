"""What counts as a change when the rules are read anew."""

from pathlib import Path

import pytest

from composer.api.messages import LoadRequest, UpRequest, WatchRequest
from composer.engine.watching.definition import Definition, read
from composer.engine.watching.rules import Rules
from composer.engine.watching.sight import Sight, identities
from composer.ignore import DockerPatterns
from composer.project.model import Project
from composer.project.origins import Origins
from composer.watch.rules import Action, Rule
from composer.watch.selection import Selection
from composer.watch.settle import Batch


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "src").mkdir()
    (tmp_path / "src/a.py").write_text("a")
    (tmp_path / "src/b.txt").write_text("b")
    return tmp_path / "src"


def rule(root: Path, action: Action = Action.SYNC, **patterns: list[str]) -> Rule:
    selection = {name: DockerPatterns(given) for name, given in patterns.items()}
    return Rule("web", action, Selection(str(root), **selection), "/app")  # type: ignore[arg-type]


def sight(*rules: Rule, after: Sight | None = None, files: tuple[str, ...] = ()) -> Sight:
    project = Project(name="shop", working_dir="/p")
    definition = Definition(project, Origins((), {}, {}), {}, Rules(rules, (), {}), files)
    return Sight(definition, after.seen() if after else {}, {})


def changed(looking: Sight) -> list[str]:
    return [path for _, change in looking.begin().changed for path in change]


def test_what_is_there_at_first_is_no_change(root: Path) -> None:
    assert changed(sight(rule(root))) == []


def test_what_changed_between_two_sights_is_a_change(root: Path) -> None:
    first = sight(rule(root))
    first.begin()
    (root / "a.py").write_text("two")
    (root / "b.txt").unlink()

    assert changed(sight(rule(root), after=first)) == ["a.py", "b.txt"]


def test_what_only_counts_from_now_on_or_no_more_is_none(root: Path) -> None:
    first = sight(rule(root, ignore=["*.txt"]))
    first.begin()

    assert changed(sight(rule(root, ignore=["*.py"]), after=first)) == []


def test_rules_that_are_alike_are_told_apart_by_their_order(root: Path) -> None:
    rules = rule(root, include=["*.py"]), rule(root, include=["*.txt"])
    assert len(set(identities(rules))) == 2
    first = sight(*rules)
    first.begin()

    assert changed(sight(*rules, after=first)) == []


def test_what_is_in_doubt_is_so_for_the_next_sight(root: Path) -> None:
    first = sight(rule(root))
    first.begin()
    first.watched[0][1].doubts.add("a.py")

    assert changed(sight(rule(root), after=first)) == ["a.py"]


def test_a_defining_file_that_changed_is_told(root: Path, tmp_path: Path) -> None:
    compose = tmp_path / "compose.yaml"
    compose.write_text("one")
    looking = sight(rule(root), files=(str(compose),))
    assert looking.is_partly_new
    assert not looking.begin().redefined

    compose.write_text("two")
    assert sight(rule(root), after=looking, files=(str(compose),)).begin().redefined
    assert looking.look(Batch(frozenset({str(compose)}))).redefined


@pytest.mark.parametrize("link", [".env", "current"])
def test_what_a_link_leads_to_counts_and_so_does_the_link(root: Path, link: str) -> None:
    project = root.parent
    (project / "compose.yaml").write_text(
        "services: {web: {image: i, develop: {watch: [{action: restart, path: ./current}]}}}"
    )
    (project / "dev.env").touch()
    (project / ".env").symlink_to("dev.env")
    (project / "current").symlink_to("src")
    request = WatchRequest(up=UpRequest({}, []), load=LoadRequest(directory=str(project)))
    looking = sight(files=read("shop", request).files)
    looking.begin()

    (project / "new").symlink_to("other")
    (project / "new").rename(project / link)

    assert looking.look(Batch(frozenset({str(project / link)}))).redefined
