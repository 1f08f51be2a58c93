"""Keys of steps: two steps with the same key make the same layer, as far as steps are repeatable at all.

A key covers everything that a step's result may depend on, by content:

* what it works on: the key of the step below, which begins with the ChainID of the base image
* RUN   the command, its script, ENV and the ARGs in effect, working directory, user, network mode, rights, limits, names of
        extra hosts, the platform (by the base image), each mount's definition, and of a bind the content that it shows
* COPY and ADD   what is copied: names, contents, permissions, owners as they are to be; where to, and how
* WORKDIR   the path, and for whom
* SOURCE_DATE_EPOCH, where it is set

It does not cover: times of files, secrets and the user's agent, what is in cache mounts, proxy arguments, addresses of extra
hosts, names of stages, the Dockerfile's wording, comments and lines.

What a stage gives to a step of another is looked at only if need be: a quick key takes in its place what is to be done there,
and leads to the key by content that was found the last time.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from composer.build.operations import (
    BaseOperation,
    CopyOperation,
    LayerOperation,
    RunMount,
    RunOperation,
    WorkdirOperation,
)
from composer.oci.config import chain_ids

VERSION = 1
"""Raised when steps come to make something else of the same instructions."""


def base_key(operation: BaseOperation) -> str:
    """The key of an image's layers, or of nothing."""
    chains = chain_ids(operation.image.config.diff_ids) if operation.image else ()
    platform = operation.image.config.architecture if operation.image else ""
    return _digest(["base", str(chains[-1]) if chains else "", platform])


def step_key(operation: LayerOperation, below: str, contents: Sequence[str], epoch: int | None) -> str:
    """The key of a step on what has the key `below`; `contents` are digests of what it reads, in their order."""
    return _digest([type(operation).__name__, below, _definition(operation), list(contents), epoch])


def quick_key(operation: LayerOperation, below: str, sources: Sequence[str], epoch: int | None) -> str:
    """As `step_key`, with quick keys of stages in `sources` where that has contents; patterns say which part counts."""
    patterns = (
        [[part.patterns for part in operation.parts], operation.excludes]
        if isinstance(operation, CopyOperation)
        else []
    )
    return _digest(["quick", type(operation).__name__, below, _definition(operation), list(sources), patterns, epoch])


def definition_digest(operation: LayerOperation) -> str:
    """The instruction alone, with the patterns of what it copies."""
    patterns = [part.patterns for part in operation.parts] if isinstance(operation, CopyOperation) else []
    return _digest([type(operation).__name__, _definition(operation), patterns])


def _definition(operation: LayerOperation) -> list[Any]:
    match operation:
        case RunOperation():
            return [
                operation.argv,
                sorted(operation.environment),
                operation.cwd,
                operation.user,
                [_mount(mount) for mount in operation.mounts],
                operation.network,
                operation.insecure,
                [operation.script[0], operation.script[1].hex()] if operation.script else None,
                sorted(name for name, _address in operation.extra_hosts),
                operation.shm_size,
                [[limit.name, limit.soft, limit.hard] for limit in operation.ulimits],
                operation.hostname,
            ]
        case CopyOperation():
            return [
                operation.destination,
                operation.owner,
                operation.mode,
                operation.parents,
                operation.link,
                [part.unpack for part in operation.parts],
            ]
        case WorkdirOperation():
            return [operation.path, operation.user]


def _mount(mount: RunMount) -> dict[str, Any]:
    return {name: value for name, value in asdict(mount).items() if name != "source"}


def _digest(parts: list[Any]) -> str:
    data = json.dumps([VERSION, *parts], ensure_ascii=True, separators=(",", ":")).encode()
    return hashlib.sha256(data).hexdigest()
