"""What WORKDIR makes: its directory, and those above it, where they are missing."""

from __future__ import annotations

import stat
from collections.abc import Sequence
from pathlib import Path

from composer.build.files.contents import now
from composer.build.files.failures import while_writing
from composer.build.files.owner import ROOT, Owner
from composer.build.files.target import Target
from composer.image.ownership import Ownership


def make_directory(
    path: str,
    upper: Path,
    base: Sequence[Path],
    ownership: Ownership,
    *,
    owner: Owner = ROOT,
    latest: int | None = None,
) -> bool:
    """Make the directory `path` of the root file system that `upper`, a fresh directory, is over `base`; whether it was missing.

    What is made belongs to `owner` and has the mode 755; links are followed inside. Raises FilesError where a file is in the
    way and for a full disk.
    """
    limit = None if latest is None else latest * 1_000_000_000
    try:
        with Target(upper, base, ownership, owner=owner, mtime=now(), latest=limit) as target:
            real, there = target.resolve(path)
            if stat.S_ISDIR(there):
                return False
            places = [target.open()]
            try:
                for name in real.split("/"):
                    places.append(target.enter(places[-1], name)[0])
            finally:
                for place in reversed(places):
                    target.leave(place)
    except OSError as error:
        raise while_writing(path, error) from error
    return True
