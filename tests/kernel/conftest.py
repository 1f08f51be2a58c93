from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kernel.keepers import House


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A running keeper with directories of its own."""
    house = House(tmp_path)
    yield house
    house.end()
