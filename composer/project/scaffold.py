"""The files that a project starts with: a commented compose.yaml, a Dockerfile and a .dockerignore, from `templates/init`."""

from __future__ import annotations

from pathlib import Path

import composer
from composer.errors import HostError
from composer.project.detect import Detected
from composer.project.templates import fill

_PACKAGE = Path(composer.__file__).parent


def scaffold(name: str, found: Detected, *, postgres: bool, redis: bool) -> dict[str, str]:
    """Texts by file name for a project called `name`, with the databases asked for."""
    services = [service for service, wanted in (("db", postgres), ("cache", redis)) if wanted]
    addresses = {"DATABASE_URL": "postgresql://postgres@db:5432/app"} if postgres else {}
    addresses |= {"REDIS_URL": "redis://cache:6379/0"} if redis else {}
    published = 8080 if found.port == 80 else found.port
    facts = {
        **found.values,
        "name": name,
        "port": found.port,
        "published": published,
        "services": services,
        "environment": addresses,
        "watch": found.watch,
        "ignored": found.ignored,
        "schema": str(part("schemas/compose.schema.json")),
    }
    templates = {
        "compose.yaml": "compose.yaml.j2",
        "Dockerfile": f"Dockerfile.{found.kind}.j2",
        ".dockerignore": "dockerignore.j2",
    }
    if found.kind == "dockerfile":
        del templates["Dockerfile"]
    return {file: fill(part(f"templates/init/{template}").read_text(), facts) for file, template in templates.items()}


def part(name: str) -> Path:
    """A file that composer carries along: in the package where it is installed, beside it in the source tree.

    Raises:
        HostError: the installation lacks it.
    """
    for base in (_PACKAGE, _PACKAGE.parent):
        if (base / name).exists():
            return base / name
    raise HostError(f"this installation of composer lacks `{name}`", hint="install it anew")
