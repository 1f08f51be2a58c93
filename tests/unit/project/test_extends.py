from __future__ import annotations

from pathlib import Path

from composer.project.model import Dependency
from tests.unit.project.loading import load_in, marked, problems, project, write


def test_a_service_starts_from_another_and_changes_it(tmp_path: Path) -> None:
    found = project(
        tmp_path,
        """
        services:
          base: {image: i, command: [a], environment: {A: 1, B: 2}, depends_on: [db]}
          web: {extends: base, command: [b], environment: {B: 3}}
          far: {extends: {service: web}, hostname: far}
          db: {image: i}
        """,
    )

    far = found.services["far"]
    assert (far.image, far.command, far.hostname) == ("i", ("b",), "far")
    assert far.environment == {"A": "1", "B": "3"}
    assert far.depends_on == {"db": Dependency()}


def test_paths_of_another_file_are_relative_to_it(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "common/base.yaml": """
            services:
              base:
                image: i:${TAG}
                env_file: base.env
                volumes: [./data:/data]
                build: .
            """,
            "common/base.env": "FROM=base",
            "app/compose.yaml": """
            services:
              web:
                extends: {file: ../common/base.yaml, service: base}
                volumes: [./here:/here]
            """,
        },
    )
    web = load_in(tmp_path / "app", {"TAG": "7"}).project.services["web"]

    assert web.image == "i:7"
    assert web.environment == {"FROM": "base"}
    assert [mount.source for mount in web.volumes] == [str(tmp_path / "common/data"), str(tmp_path / "app/here")]
    assert web.build is not None
    assert web.build.context == str(tmp_path / "common")


def test_a_circle_of_extends_is_printed(tmp_path: Path) -> None:
    found = problems(tmp_path, "services:\n  a: {extends: b}\n  b: {extends: c}\n  c: {extends: b}\n")

    assert any(one.message.endswith("`b` → `c` → `b`") for one in found)


def test_a_missing_base_is_named(tmp_path: Path) -> None:
    write(tmp_path, {"other.yaml": "services: {db: {image: i}}"})
    (found,) = problems(tmp_path, "services:\n  web: {extends: {file: other.yaml, service: dbx}}\n")

    assert "there is no service `dbx` in `other.yaml`" in found.message
    assert (marked(found), found.hint) == ("dbx", "did you mean `db`?")


def test_included_files_bring_their_services_directories_and_variables(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "compose.yaml": """
            include:
              - db/compose.yaml
              - path: [cache.yaml, cache.extra.yaml]
                env_file: cache.env
            services:
              web: {image: i, depends_on: [db, cache]}
            """,
            "db/compose.yaml": "services: {db: {image: 'db:${V}', volumes: ['./data:/data', 'v:/v']}}\nvolumes: {v: }",
            "db/.env": "V=inner",
            "cache.yaml": "services: {cache: {image: 'c:${C}'}}",
            "cache.extra.yaml": "services: {cache: {init: true}}",
            "cache.env": "C=9",
        },
    )
    found = load_in(tmp_path).project

    assert found.services["db"].image == "db:inner"
    assert found.services["db"].volumes[0].source == str(tmp_path / "db/data")
    assert found.volumes["v"].name == f"{found.name}_v"
    assert (found.services["cache"].image, found.services["cache"].init) == ("c:9", True)
    assert load_in(tmp_path, {"V": "outer"}).project.services["db"].image == "db:outer"


def test_an_included_service_cannot_be_declared_again_but_overridden(tmp_path: Path) -> None:
    inner = "services: {db: {image: a}}"
    write(tmp_path, {"db.yaml": inner, "over.yaml": "services: {db: {image: b}}"})
    (found,) = problems(tmp_path, "include: [db.yaml]\nservices: {db: {image: c}}\n")
    assert "services.db is also declared in the included `db.yaml`" in found.message

    write(tmp_path, {"compose.yaml": "include: [db.yaml]\n"})
    loaded = load_in(tmp_path, files=("compose.yaml", "over.yaml"))
    assert loaded.project.services["db"].image == "b"


def test_files_that_include_each_other_are_a_circle(tmp_path: Path) -> None:
    write(tmp_path, {"a.yaml": "include: [b.yaml]", "b.yaml": "include: [a.yaml]"})
    found = problems(tmp_path, "include: [a.yaml]\nservices: {web: {image: i}}")

    assert any(one.message == "`include` goes round in a circle: `a.yaml` → `b.yaml` → `a.yaml`" for one in found)


def test_a_missing_included_file_is_an_error(tmp_path: Path) -> None:
    found = problems(tmp_path, "include: [nope.yaml]\nservices: {web: {image: i}}")
    assert any("cannot read the project from" in one.message for one in found)
