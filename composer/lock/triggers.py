"""What the ONBUILD triggers of a base image fetch and take from, as far as they tell."""

from __future__ import annotations

from collections.abc import Sequence

from composer.build.dockerfile.instructions import Add
from composer.build.dockerfile.parse import parse_trigger
from composer.build.dockerfile.sources import is_git, is_remote
from composer.build.dockerfile.stages import SCRATCH, context_name, sources_of
from composer.errors import BuildError
from composer.lock.behind import triggers_of
from composer.lock.dockerfiles import said_checksum
from composer.lock.uses import Collector, Use, Uses


def triggered(image: str, triggers: Sequence[str], uses: Sequence[Use]) -> Uses:
    """What the ONBUILD `triggers` of an image need, for those who build on it."""
    into = Collector()
    for user in uses:
        use = Use(triggers_of(image), user.service, user.location)
        for expression in triggers:
            try:
                instruction = parse_trigger(expression, image)
            except BuildError:
                continue  # whoever builds on it is told
            for name in sources_of(instruction):
                if _is_image(name, user.words):
                    into.image(name, use)
            for url in filter(is_remote, instruction.sources if isinstance(instruction, Add) else ()):
                assert isinstance(instruction, Add)
                if "$" in url:
                    into.warn(f"`{url}`, which ONBUILD of `{image}` fetches, is not locked: it has variables", use)
                elif is_git(url):
                    into.commits.setdefault(url, []).append(use)
                else:
                    said = Use(use.by, use.service, use.location, said_checksum(instruction.checksum))
                    into.downloads.setdefault(url, []).append(said)
    return into.uses()


def _is_image(name: str, words: frozenset[str] | None) -> bool:
    """Whether `--from=name` takes from an image, where `words` are the stages and contexts of whoever builds on it.

    As long as these are not known, a bare word is left out: it may be one of them.
    """
    if words is None:
        return "/" in name or ":" in name
    return not (
        "$" in name or name.isdecimal() or name == SCRATCH or name.lower() in words or context_name(name) in words
    )
