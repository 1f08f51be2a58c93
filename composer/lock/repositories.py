"""What a branch or tag of a git repository means, by its commit: `git ls-remote`, nothing is cloned.

URLs are those of Dockerfiles and build contexts: `https://host/path.git#ref:directory`, with `HEAD` where no ref is named.
<https://docs.docker.com/build/concepts/context/#url-fragments>
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
from collections.abc import Mapping

from composer.errors import HostError, RegistryError
from composer.registry.transport import redacted

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_SECONDS = 60.0
_LONGEST = 300


async def commit_of(url: str, environment: Mapping[str, str]) -> str:
    """The commit that `url` means now.

    Raises:
        HostError: there is no git.
        RegistryError: the repository does not answer, or has no such ref.
    """
    repository, ref = split(url)
    if _COMMIT.fullmatch(ref):
        return ref
    return _chosen(url, ref, await asyncio.to_thread(_list, repository, ref, environment))


def split(url: str) -> tuple[str, str]:
    """Repository and ref of a URL; the directory in the fragment is of no concern here."""
    repository, _, fragment = url.partition("#")
    return repository, fragment.partition(":")[0] or "HEAD"


def _list(repository: str, ref: str, environment: Mapping[str, str]) -> Mapping[str, str]:
    """Every ref that ends like `ref`, with its commit."""
    if shutil.which("git", path=environment.get("PATH")) is None:
        raise HostError("cannot lock a git repository: git is not installed", hint="`apt install git`, for instance")
    command = ["git", "ls-remote", "--", repository, ref, f"{ref}^{{}}"]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            check=False,
            stdin=subprocess.DEVNULL,
            timeout=_SECONDS,
            env={**os.environ, **environment, "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"},
        )
    except subprocess.TimeoutExpired as error:
        raise RegistryError(f"cannot lock `{_shown(repository)}`: git had no answer in {_SECONDS:.0f} s") from error
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        why = next((line for line in said if line.startswith("fatal: ")), said[-1] if said else "it said nothing")
        raise RegistryError(
            f"cannot lock `{_shown(repository)}`: git says: {why.removeprefix('fatal: ')[:_LONGEST]}",
            hint="try `git ls-remote` of the repository by hand",
        )
    lines = (line.split("\t", 1) for line in done.stdout.decode(errors="replace").splitlines())
    return {parts[1]: parts[0] for parts in lines if len(parts) == 2 and _COMMIT.fullmatch(parts[0])}


def _chosen(url: str, ref: str, refs: Mapping[str, str]) -> str:
    """As git-checkout does it, a branch comes before a tag of the same name; of an annotated tag the commit counts."""
    bare = (
        [ref] if ref == "HEAD" or ref.startswith("refs/") else [f"refs/heads/{ref}", f"refs/tags/{ref}", f"refs/{ref}"]
    )
    names = [spelling for name in bare for spelling in (f"{name}^{{}}", name)]
    found = next((refs[name] for name in names if name in refs), None)
    if found is None:
        raise RegistryError(
            f"cannot lock `{_shown(url)}`: the repository has no branch or tag `{ref}`",
            hint="check what stands behind `#`",
        )
    return found


def _shown(repository: str) -> str:
    return redacted(repository) if "://" in repository else repository
