"""Fixtures: a registry for each module, and a home with a store for each test."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from composer.image.store import Store
from composer.oci.digest import Digest
from composer.oci.reference import parse
from composer.paths import Paths
from composer.registry.access import Access
from composer.registry.progress import LayerProgress
from composer.registry.pull import Pulled, Puller
from composer.registry.push import Pusher
from composer.registry.transport import HttpTransport
from tests.fakes.clock import FakeClock
from tests.fakes.faulty_proxy import FaultyProxy, faulty_proxy
from tests.make.registry import Registry, running_registry
from tests.patience import PATIENCE


@dataclass
class Home:
    """A user with a store, settings and credentials of their own."""

    root: Path
    clock: FakeClock = field(default_factory=FakeClock)
    variables: dict[str, str] = field(default_factory=dict)
    reports: list[LayerProgress] = field(default_factory=list)
    silence: float = PATIENCE

    def __post_init__(self) -> None:
        self.store = Store(Paths(self.root / "data", self.root / "run"))

    @property
    def environment(self) -> dict[str, str]:
        return {"HOME": str(self.root), "COMPOSER_CONFIG": str(self.root), "PATH": "/usr/bin:/bin", **self.variables}

    def settings(self, text: str) -> None:
        """Write registries.toml."""
        (self.root / "registries.toml").write_text(text)

    def credentials(self, text: str) -> None:
        """Write Docker's config.json."""
        (self.root / ".docker").mkdir(exist_ok=True)
        (self.root / ".docker/config.json").write_text(text)

    def puller(self) -> Puller:
        return Puller(self.store, self.clock, HttpTransport(silence=self.silence))

    def pull(self, reference: str, platform: str = "", digest: Digest | None = None) -> Pulled:
        """Pull as this user."""

        async def pull() -> Pulled:
            access = Access.of(self.environment)
            return await self.puller().pull(parse(reference), access, self.reports.append, platform, digest)

        return asyncio.run(pull())

    def complete(self, reference: str) -> None:
        """Have all blobs of an image of the store."""
        image = self.store.find(reference)
        assert image is not None
        asyncio.run(self.puller().complete(image, Access.of(self.environment), self.reports.append))

    def push(self, reference: str, chunk: int = 0) -> None:
        """Push as this user, larger blobs in chunks."""

        async def push() -> None:
            pusher = Pusher(self.store, self.clock, **({"chunk": chunk} if chunk else {}))
            await pusher.push(parse(reference), Access.of(self.environment), self.reports.append)

        asyncio.run(push())

    def leftovers(self) -> list[str]:
        """What lies in the store beside whole content."""
        return [str(path) for path in self.root.glob("data/*/.staging-*")]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    home = Home(tmp_path / "home")
    home.root.mkdir()
    yield home

    assert home.leftovers() == []


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with running_registry(tmp_path_factory.mktemp("registry")) as registry:
        yield registry


@pytest.fixture
def proxy(registry: Registry) -> Iterator[FaultyProxy]:
    with faulty_proxy(registry.port) as proxy:
        yield proxy
