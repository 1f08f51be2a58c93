"""What is recorded of BuildKit is what it does: the whole corpus, built by Docker in the benchmark's box."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.build_corpus.cases import CASES
from tests.build_corpus.golden import recorded
from tests.build_corpus.peers import SETUP, BuildKit, buildkit

pytestmark = pytest.mark.soak


@pytest.fixture
def docker() -> Iterator[BuildKit]:
    given = os.environ.get("BENCH_DIR", "")
    directory = Path(given or tempfile.mkdtemp(prefix="peer-", dir="/var/tmp"))  # too large for memory
    with buildkit(directory) as docker:
        yield docker
    if not given:
        subprocess.run([SETUP, directory, "stop"], check=True, capture_output=True)
        shutil.rmtree(directory)


def test_the_recorded_results_are_buildkits(docker: BuildKit) -> None:
    cases = [case for case in CASES if not case.own]

    with ThreadPoolExecutor(2) as pool:
        built = dict(zip((case.name for case in cases), pool.map(docker.build, cases), strict=True))

    refused = {name for name, result in built.items() if "fails" in result}
    assert refused == {case.name for case in cases if case.fails}
    assert {name: result for name, result in built.items() if name not in refused} == {
        case.name: recorded()[case.name] for case in cases if not case.fails
    }
