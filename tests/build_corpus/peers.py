"""Docker with BuildKit, in the box of the benchmark: how it builds a case of the corpus."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.build_corpus.base import write_archive
from tests.build_corpus.case import Case
from tests.build_corpus.picture import Saved, picture, read
from tests.build_corpus.served import make, replaced, serving

SETUP = Path(__file__).parents[1] / "bench/setup.sh"
_HTTP, _GIT = 8231, 8232
_PLACE = "bench/corpus"
_ACCIDENTAL = re.compile(r"/var/lib/docker/overlay2/\w+/merged| of ref \S+(?=:)|(?<=failed to do request).*")


@dataclass(frozen=True)
class BuildKit:
    """Docker's builder, ready for cases."""

    directory: Path
    base: Saved
    http: str
    git: str

    def build(self, case: Case) -> dict[str, Any]:
        """The picture of what it makes of a case; `{"fails": …}` with what it says where it refuses."""
        name = f"cases/{case.name}"
        project = self.directory / _PLACE / name
        subprocess.run(["rm", "-rf", str(project)], check=True)
        case.write(project, self.http, self.git)
        variables = {"BUILDKIT_PROGRESS": "plain", **case.environment}
        built = self._run("docker", "compose", "build", variables=variables, place=name)
        if built.returncode:
            said = [line for line in (built.stdout + built.stderr).decode(errors="replace").splitlines() if ":" in line]
            reasons = [line for line in said if line.startswith("failed to solve: ")]
            reason = (reasons or said)[-1].removeprefix("failed to solve: ")
            return {"fails": _ACCIDENTAL.sub("", self._general(reason))}
        archive = project / "image.tar"
        saved = self._run("docker", "save", "-o", "image.tar", f"corpus/{case.name}", place=name)
        assert saved.returncode == 0, saved.stderr
        found = picture(read(archive), self.base, case)
        archive.unlink()
        general: dict[str, Any] = replaced(found, self.http, self.git)
        return general

    def _general(self, text: str) -> str:
        return str(replaced(text, self.http, self.git))

    def _run(
        self, *command: str, place: str, variables: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        environment = [
            "env",
            "-C",
            f"/{_PLACE}/{place}",
            *(f"{name}={value}" for name, value in (variables or {}).items()),
        ]
        return subprocess.run([SETUP, self.directory, "exec", *environment, *command], capture_output=True, check=False)


@contextmanager
def buildkit(directory: Path) -> Iterator[BuildKit]:
    """Docker in `directory`, set up if it is not there; what cases fetch is served inside its box."""
    subprocess.run([SETUP, directory, "all"], check=True, stdout=sys.stderr)
    place = directory / _PLACE
    subprocess.run(["rm", "-rf", str(place)], check=True)
    place.mkdir(parents=True)
    make(place / "served")
    archive = write_archive(place / "base.tar")
    prefix = (str(SETUP), str(directory), "exec")
    subprocess.run([*prefix, "docker", "load", "-q", "-i", f"/{_PLACE}/base.tar"], check=True, stdout=sys.stderr)
    # What earlier runs built would come back with the times of their files.
    subprocess.run([*prefix, "docker", "builder", "prune", "-af"], check=True, stdout=subprocess.DEVNULL)
    with serving(place / "served", _HTTP, _GIT, prefix, f"/{_PLACE}/served") as (http, git):
        yield BuildKit(directory, read(archive), http, git)
