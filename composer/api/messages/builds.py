"""What is asked of builds, and what is told of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class BuildFlags:
    """What the command line says of a build beyond the file."""

    no_cache: bool = False
    pull: bool = False
    args: dict[str, str] = field(default_factory=dict)
    ssh: dict[str, str] = field(default_factory=dict)
    """Paths of keys or agents by id; "" is the user's own agent."""
    verify: bool = False
    """Build twice and compare."""


@dataclass(frozen=True, slots=True)
class BuildRequest:
    """`compose build`."""

    project: dict[str, Any]
    origins: Any
    services: tuple[str, ...] = ()
    with_dependencies: bool = False
    flags: BuildFlags = BuildFlags()
    push: bool = False
    dry_run: bool = False
    surroundings: dict[str, str] = field(default_factory=dict)
    """Of the client's environment what concerns registries and builds."""
    lock: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LintFinding:
    """One thing that BuildKit's rules have to say about a Dockerfile."""

    service: str
    rule: str
    """"" for what is no rule's; as an error, it would stop a build."""
    message: str
    file: str
    line: int
    """0 for what is about the file as a whole."""
    column: int = 1
    length: int = 1
    source: str = ""
    """The line itself."""
    severity: str = "warning"
    """Or `error`."""
    url: str = ""
    hint: str = ""
