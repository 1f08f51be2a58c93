from pathlib import Path

from composer.engine.records import ProjectRecord
from composer.engine.requests import namesake
from tests.unit.project.loading import project


def test_projects_of_one_name_are_told_of_each_other_and_one_that_was_moved_is_none(tmp_path: Path) -> None:
    here = project(tmp_path / "b/app", "services: {web: {image: i}}")
    other = tmp_path / "a/app/compose.yaml"
    before = ProjectRecord("app", str(other.parent), (str(other),))

    assert namesake(before, here) == ""
    other.parent.mkdir(parents=True)
    other.touch()
    assert f"project `app` come from `{other.parent}`" in namesake(before, here)
    assert namesake(ProjectRecord("app", here.working_dir, before.config_files), here) == ""
