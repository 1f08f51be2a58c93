from __future__ import annotations

from pathlib import Path
from typing import Any

from composer.engine.building.bases import bases, makers
from composer.project.model import Build, Project, Service


def project(directory: Path, **services: tuple[str | None, str, dict[str, Any]]) -> Project:
    """Services by name: image, text of the Dockerfile, and more of `build`."""
    made = {}
    for name, (image, text, more) in services.items():
        (directory / name).mkdir()
        (directory / name / "Dockerfile").write_text(text)
        made[name] = Service(name=name, image=image, build=Build(context=str(directory / name), **more))
    return Project(name="shop", working_dir=str(directory), services=made)


def test_every_way_to_take_from_anothers_image_is_found(tmp_path: Path) -> None:
    shop = project(
        tmp_path,
        base=("my/base:1", "FROM alpine\n", {}),
        tools=("docker.io/my/tools", "FROM alpine\nRUN echo my/base:1\n", {}),
        web=(None, "ARG V=1\nFROM my/base:$V\nCOPY --from=my/tools:latest /a /b\n", {}),
        other=(None, "FROM my/base:$V\n", {"args": {"V": "2"}}),
        part=(None, "FROM alpine AS a\nFROM my/base:1 AS b\n", {"target": "a"}),
        itself=("self:1", "FROM self:1\n", {}),
        broken=(None, "FROM my/base:1 nonsense\n", {}),
        context=(None, "FROM my/base:1\n", {"additional_contexts": {"my/base:1": "/elsewhere"}}),
    )

    assert bases(shop) == {"web": ("base", "tools")}
    assert makers(shop) == {
        "docker.io/my/base:1": "base",
        "docker.io/my/tools:latest": "tools",
        "docker.io/library/self:1": "itself",
    }


def test_where_no_dockerfile_is_there_is_nothing_to_know(tmp_path: Path) -> None:
    shop = project(tmp_path, base=("my/base:1", "FROM alpine\n", {}), web=(None, "FROM my/base:1\n", {}))
    (tmp_path / "web/Dockerfile").unlink()

    assert bases(shop) == {}
