from collections.abc import Iterator
from pathlib import Path

import pytest

from composer.build.files import ContentCache


@pytest.fixture
def contents(tmp_path: Path) -> Iterator[ContentCache]:
    cache = ContentCache(tmp_path / "cache" / "contents.db")
    yield cache
    cache.close()
