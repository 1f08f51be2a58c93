import errno
import os
from pathlib import Path

import pytest

from composer.errors import HostError


def test_what_the_world_did_to_a_file_is_said_of_that_file(tmp_path: Path) -> None:
    with pytest.raises(OSError) as caught:
        (tmp_path / "gone").read_text()

    told = HostError.of(caught.value)

    assert str(told) == f"cannot use `{tmp_path}/gone`: no such file or directory"


def test_a_full_disk_needs_no_file() -> None:
    assert str(HostError.of(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))) == "no space left on device"


@pytest.mark.parametrize("error", [ValueError("x"), OSError("x"), OSError(errno.EBADF, "Bad file descriptor", "/x")])
def test_what_may_be_our_mistake_stays_one(error: Exception) -> None:
    assert HostError.of(error) is None
