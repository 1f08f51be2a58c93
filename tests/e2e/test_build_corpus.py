"""The corpus, built here, against what BuildKit made of it: a part of it each time, all of it in the long run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.build_corpus.base import write_archive
from tests.build_corpus.case import Case
from tests.build_corpus.cases import CASES
from tests.build_corpus.golden import record, recorded
from tests.build_corpus.picture import Saved, picture, read
from tests.build_corpus.served import make, replaced, serving
from tests.e2e.harness import Engine
from tests.make.ports import free_port


@dataclass(frozen=True)
class Workshop:
    """An engine with the base image, and what cases fetch."""

    engine: Engine
    base: Saved
    http: str
    git: str

    def build(self, case: Case, directory: Path) -> dict[str, Any]:
        """The picture of the case's image, or `{"fails": what was said}`."""
        case.write(directory, self.http, self.git)
        built = self.engine.compose("build", cwd=directory, environment=case.environment)
        if built.code:
            assert "Traceback" not in built.output, built.output
            return {"fails": built.output}
        archive = directory / "image.tar"
        self.engine.compose("image", "save", "-o", str(archive), f"corpus/{case.name}", check=True)
        found = picture(read(archive), self.base, case)
        general: dict[str, Any] = replaced(found, self.http, self.git)
        return general


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workshop]:
    directory = tmp_path_factory.mktemp("corpus")
    archive = write_archive(directory / "base.tar")
    make(directory / "served")
    engine = Engine()
    with serving(directory / "served", free_port(), free_port()) as (http, git):
        engine.compose("image", "load", str(archive), check=True)
        yield Workshop(engine, read(archive), http, git)
    assert engine.close() == []


EVERY = 5
"""Each so many cases one is in the short run."""

PARAMETERS = [
    pytest.param(case, id=case.name, marks=[pytest.mark.soak] if index % EVERY else [])
    for index, case in enumerate(CASES)
]


@pytest.mark.parametrize("case", PARAMETERS)
def test_the_image_is_what_buildkit_makes(workshop: Workshop, case: Case, tmp_path: Path) -> None:
    found = workshop.build(case, tmp_path / "project")

    if case.fails:
        assert "fails" in found, "BuildKit refuses this"
        assert case.fails in found["fails"]
        return
    assert "fails" not in found, found["fails"]
    if case.own and os.environ.get("COMPOSER_RECORD"):
        record({case.name: found})
    assert found == recorded()[case.name]
