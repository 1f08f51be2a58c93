"""What a folder holds: which kind of program, how it is installed and started, and which databases it asks for.

From the names of files and a look into those that declare dependencies; nothing of the folder is run.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

KINDS = ("python", "node", "go", "static")
_LARGEST = 1 << 20
"""Bytes of a file that are looked at."""
_POSTGRES = re.compile(r"\b(psycopg\w*|asyncpg|pg8000|pgx|lib/pq|postgres(?:ql)?|pg)\b", re.IGNORECASE)
_REDIS = re.compile(r"\b(redis|ioredis|go-redis|rueidis|valkey)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Detected:
    """What was found."""

    kind: str
    port: int
    values: Mapping[str, Any] = field(default_factory=dict)
    """What the kind's templates are filled in with."""
    watch: tuple[str, ...] = ()
    """Rules of `develop.watch`."""
    ignored: tuple[str, ...] = ()
    """Patterns for `.dockerignore`."""
    postgres: bool = False
    redis: bool = False


def detect(directory: Path, kind: str = "") -> Detected | None:
    """What `directory` holds, taken for a `kind` if one is given; None where nothing tells."""
    found = kind or next(
        (each for each, tells in _TELLS.items() if any((directory / name).is_file() for name in tells)), ""
    )
    looked = _LOOK[found](directory) if found else None
    recipe = _text(directory / "Dockerfile")
    return _with_dockerfile(recipe, looked) if recipe and not kind else looked


def _with_dockerfile(recipe: str, found: Detected | None) -> Detected:
    """A folder that says itself how its image is built: what is inside the image is not for us to guess."""
    exposed = re.findall(r"^\s*EXPOSE\s+(\d+)", recipe, re.MULTILINE | re.IGNORECASE)
    port = int(exposed[0]) if exposed else found.port if found else 8080
    rules = ("{path: ., action: rebuild}",)
    return replace(found or Detected("", port), kind="dockerfile", port=port, values={}, watch=rules)


_TELLS: dict[str, tuple[str, ...]] = {
    "python": ("pyproject.toml", "requirements.txt", "setup.py", "manage.py", "Pipfile"),
    "node": ("package.json",),
    "go": ("go.mod",),
    "static": ("index.html", "public/index.html", "dist/index.html", "site/index.html"),
}


def _python(directory: Path) -> Detected:
    requirements = "requirements.txt" if (directory / "requirements.txt").is_file() else ""
    wanted = "\n".join(
        _text(directory / name) for name in ("requirements.txt", "pyproject.toml", "setup.py", "Pipfile")
    )
    command, port = _python_command(directory, wanted.lower())
    version = re.match(r"3\.\d+", _text(directory / ".python-version"))
    dependencies = requirements or "pyproject.toml"
    return Detected(
        kind="python",
        port=port,
        values={"requirements": requirements, "command": command, "version": version[0] if version else "3.13"},
        watch=(f"{{path: ./{dependencies}, action: rebuild}}", "{path: ., target: /app, action: sync+restart}"),
        ignored=("**/__pycache__", "**/*.pyc", ".venv", "venv", ".pytest_cache", ".mypy_cache", "*.egg-info"),
        postgres=bool(_POSTGRES.search(wanted)),
        redis=bool(_REDIS.search(wanted)),
    )


def _python_command(directory: Path, wanted: str) -> tuple[str, int]:
    """How the program is started, as JSON, and where it listens."""
    sources = {path.stem: _text(path) for path in sorted(directory.glob("*.py"))}
    if (directory / "manage.py").is_file():
        return _exec("python", "manage.py", "runserver", "0.0.0.0:8000"), 8000
    script = next((name for name in ("main", "app", "server", "run") if name in sources), "") or next(
        iter(sources), "main"
    )
    for framework, mark, command in (
        ("fastapi", "FastAPI(", ("uvicorn", "{}:app", "--host", "0.0.0.0", "--port", "8000")),
        ("flask", "Flask(", ("flask", "--app", "{}", "run", "--host", "0.0.0.0", "--port", "8000")),
    ):
        module = next((name for name, text in sources.items() if mark in text), "")
        if module or framework in wanted:
            return _exec(*(word.format(module or script) for word in command)), 8000
    return _exec("python", f"{script}.py"), 8000


def _node(directory: Path) -> Detected:
    try:
        package = json.loads(_text(directory / "package.json") or "{}")
    except ValueError:
        package = {}
    package = package if isinstance(package, dict) else {}
    said = [package.get(key) for key in ("dependencies", "devDependencies")]
    wanted = " ".join(name for names in said if isinstance(names, dict) for name in names)
    scripts = package.get("scripts") if isinstance(package.get("scripts"), dict) else {}
    lock, install, cache, run = next(
        (row for row in _MANAGERS if (directory / row[0]).is_file()), ("", "npm install", "/root/.npm", "npm")
    )
    script = next((name for name in ("dev", "start") if name in (scripts or {})), "")
    vite = "vite" in wanted.split()
    command = _exec(run, "run", script) if script else _exec("node", str(package.get("main") or "index.js"))
    if script and vite:
        command = _exec(run, "run", script, "--", "--host", "0.0.0.0")
    return Detected(
        kind="node",
        port=5173 if vite else 3000,
        values={"lock": lock, "install": install, "cache": cache, "command": command, "version": "22"},
        watch=(
            "{path: ./package.json, action: rebuild}",
            f"{{path: ., target: /app, action: {'sync' if script == 'dev' else 'sync+restart'}, ignore: [node_modules/]}}",
        ),
        ignored=("node_modules", "npm-debug.log*", "dist", "build", ".next", "coverage"),
        postgres=bool(re.search(r"\b(pg|postgres|pg-promise)\b", wanted)),
        redis=bool(_REDIS.search(wanted)),
    )


_MANAGERS = (
    ("package-lock.json", "npm ci", "/root/.npm", "npm"),
    ("yarn.lock", "yarn install --frozen-lockfile", "/usr/local/share/.cache/yarn", "yarn"),
    ("pnpm-lock.yaml", "npx pnpm install --frozen-lockfile", "/root/.local/share/pnpm/store", "npx pnpm"),
)


def _go(directory: Path) -> Detected:
    module = _text(directory / "go.mod")
    version = re.search(r"^go\s+(\d+\.\d+)", module, re.MULTILINE)
    commands = sorted(path.parent for path in directory.glob("cmd/*/main.go"))
    package = "." if (directory / "main.go").is_file() or not commands else f"./{commands[0].relative_to(directory)}"
    lock = "go.sum" if (directory / "go.sum").is_file() else ""
    return Detected(
        kind="go",
        port=8080,
        values={"lock": lock, "package": package, "version": version[1] if version else "1.25"},
        watch=("{path: ., action: rebuild}",),
        ignored=("bin", "*.test", "*.out"),
        postgres=bool(_POSTGRES.search(module)),
        redis=bool(_REDIS.search(module)),
    )


def _static(directory: Path) -> Detected:
    root = next((name for name in ("public", "dist", "site") if (directory / name / "index.html").is_file()), "")
    root = "" if (directory / "index.html").is_file() else root
    return Detected(
        kind="static",
        port=80,
        values={"root": f"{root}/" if root else "."},
        watch=(f"{{path: ./{root}, target: /usr/share/nginx/html, action: sync}}",),
    )


_LOOK: dict[str, Callable[[Path], Detected]] = {"python": _python, "node": _node, "go": _go, "static": _static}


def _exec(*words: str) -> str:
    return json.dumps([part for word in words for part in word.split(" ")])


def _text(path: Path) -> str:
    """The text of a file as far as it can be had."""
    try:
        if not path.is_file():
            return ""
        with path.open("rb") as stream:
            return stream.read(_LARGEST).decode("utf-8", "replace")
    except OSError:
        return ""
