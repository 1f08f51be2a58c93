"""Where a lock is, and what it costs to look at one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from composer.lock.file import lock_path
from composer.project.model import Project

CHEAP = """
import sys
import composer.cli.locking, composer.lock.pins, composer.lock.reading, composer.lock.compare, composer.lock.gather
print([name for name in ("aiohttp", "asyncio", "sqlite3", "composer.build.files", "composer.registry") if name in sys.modules])
"""


@pytest.mark.parametrize(
    ("files", "lock"),
    [
        (("/shop/compose.yaml", "/shop/compose.override.yaml"), "/shop/compose.lock"),
        (("/shop/deploy/prod.yaml", "/shop/compose.yaml"), "/shop/deploy/compose.lock"),
        (("-", "/shop/deploy/prod.yaml"), "/shop/deploy/compose.lock"),
        (("-",), "/here/compose.lock"),
    ],
)
def test_a_lock_lies_beside_the_first_compose_file(files: tuple[str, ...], lock: str) -> None:
    assert lock_path(Project(name="shop", working_dir="/here", compose_files=files)) == Path(lock)


def test_who_runs_a_locked_project_imports_no_registry_client_and_no_builder() -> None:
    done = subprocess.run([sys.executable, "-c", CHEAP], capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"
