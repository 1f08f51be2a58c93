"""A project with one service that builds, in a real directory, and what reads it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from composer.build.files import ContentCache
from composer.engine.building.builds import buildables
from composer.engine.building.errand import Errand
from composer.engine.building.inputs import Reader
from composer.engine.plan import BuildImage
from composer.image.store import Store
from composer.paths import Paths
from composer.project.model import Build, File, Network, Project, Service
from composer.project.origins import Origins


@dataclass
class Bench:
    """Where builds are described and read, with nothing behind them."""

    root: Path

    def __post_init__(self) -> None:
        self.context = self.root / "context"
        self.context.mkdir()
        self.write(Dockerfile="FROM scratch\n")
        self.images = Store(Paths(self.root / "data", self.root / "run"))
        contents = ContentCache(self.root / "contents.db")
        self.reader = Reader(lambda: contents, self.images)

    def write(self, **files: str) -> None:
        """Files of the context; `__` in a name is a slash, and `_` before an extension a dot."""
        for name, text in files.items():
            path = self.context / name.replace("__", "/").replace("_", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def errand(
        self, surroundings: dict[str, str] | None = None, secrets: dict[str, File] | None = None, **build: Any
    ) -> tuple[BuildImage, Errand]:
        """The build of the service `web`, and for whom."""
        fields = {"context": str(self.context), "dockerfile": "Dockerfile", **build}
        platform = fields.pop("platform", None)
        fields["secrets"] = fields.pop("build_secrets", ())
        services = {"web": Service(name="web", platform=platform, build=Build(**fields))}
        services["base"] = Service(name="base", image="busybox")
        project = Project(
            name="shop",
            working_dir=str(self.root),
            services=services,
            networks={"back": Network(key="back", name="shop_back")},
            secrets=secrets or {},
            environment_used={"TOKEN": "hunter2"},
        )
        (web,) = buildables(project, [services["web"]])
        around = {"HOME": str(self.root), **(surroundings or {})}
        return web.operation(), Errand(project, Origins((), {}, {}), surroundings=around)

    def files(self, **build: Any) -> dict[str, str]:
        """The digests of the files that count."""
        found = self.reader.read(*self.errand(**build), "salt")
        assert found is not None
        return dict(found.files)
