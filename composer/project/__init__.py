"""The Compose file, from text to a model that nobody has to interpret again.

`load(options, environment)` gives `Loaded`: the `Project` (`model`: pydantic, frozen, long forms only, references
resolved, paths absolute), the warnings, and the `Origins`, which know file, line and column of everything in it.
Problems come all at once as `composer.errors.ProjectError`.

The phases are modules, in the order of the docstring of `loader`. Two of them are tables to read first: `attributes`
(every attribute of the specification, its forms, how far it is supported; JSON Schema is written from it) and
`merge.MERGE_RULES`. Afterwards, `select` narrows a project to what a command names, and `canonical` prints it as
`docker compose config` does.

Three things are made from a project rather than for it: `lint` finds mistakes that load, `explain` tells where a value
comes from, and `templates` (the only door to jinja2, in a child process) renders configs from the `facts`. `detect` and
`scaffold` are for a folder that has no Compose file yet.

What can be read but not brought up here is an *obstacle* (`Report.refuse`): `config` prints such a project, `up` refuses it.

This room knows no containers, no images and no network: what a healthcheck or a port *means* is for others. It reads
files and changes none. yaml is imported in `source` only. Importing the package is cheap; loading imports the rest.

Follows the Compose Specification <https://github.com/compose-spec/compose-spec>, and where that is silent, compose-go.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import composer.unplugged  # noqa: F401  before pydantic
from composer.project.options import LoadOptions

if TYPE_CHECKING:
    from composer.project.loader import Loaded

__all__ = ["LoadOptions", "load"]


def load(options: LoadOptions, environment: Mapping[str, str]) -> Loaded:
    """The project that `options` and `environment` name; reads files, changes nothing.

    Raises:
        ProjectError: something is wrong with it; carries every problem found, in file order.
    """
    from composer.project.loader import load_project

    return load_project(options, environment)
