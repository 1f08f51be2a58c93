"""`compose init`: what it finds, what it writes, and that what it writes is right."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from composer.project import LoadOptions, load
from composer.project.detect import detect
from composer.project.lint.rules import findings
from composer.project.schema import compose_schema
from tests.spec.oracle import oracle

REPOSITORY = Path(__file__).parents[3]
FOLDERS = {
    "django": {"manage.py": "", "requirements.txt": "django\npsycopg2-binary\n"},
    "flask": {"app.py": "app = Flask(__name__)", "requirements.txt": "flask\nredis\n"},
    "fastapi": {"api.py": "app = FastAPI()", "pyproject.toml": '[project]\ndependencies = ["fastapi", "asyncpg"]'},
    "script": {"main.py": "print()", "pyproject.toml": "", ".python-version": "3.12\n"},
    "vite": {"package.json": '{"scripts": {"dev": "vite"}, "devDependencies": {"vite": "7"}}', "package-lock.json": ""},
    "express": {"package.json": '{"main": "server.js", "dependencies": {"pg": "8", "ioredis": "5"}}'},
    "yarn": {"package.json": '{"scripts": {"start": "node ."}}', "yarn.lock": ""},
    "broken": {"package.json": "{"},
    "go": {"go.mod": "module x\n\ngo 1.24\n\nrequire github.com/jackc/pgx/v5 v5.7.0\n", "go.sum": "", "main.go": ""},
    "commands": {"go.mod": "module x\n", "cmd/server/main.go": ""},
    "page": {"index.html": "<p>"},
    "site": {"public/index.html": "<p>"},
}
WANTED = {
    "django": ("python", '"runserver"', {"db"}),
    "flask": ("python", '"--app", "app"', {"cache"}),
    "fastapi": ("python", '"uvicorn", "api:app"', {"db"}),
    "script": ("python", "python:3.12-slim", set()),
    "vite": ("node", '"dev", "--", "--host"', set()),
    "express": ("node", '"node", "server.js"', {"db", "cache"}),
    "yarn": ("node", "yarn install --frozen-lockfile", set()),
    "broken": ("node", "npm install", set()),
    "go": ("go", "golang:1.24", {"db"}),
    "commands": ("go", "go build -o /app ./cmd/server", set()),
    "page": ("static", "COPY . /usr/share", set()),
    "site": ("static", "COPY public/ /usr/share", set()),
}


def folder(directory: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(text)
    return directory


def init(directory: Path, *arguments: str, root: Path = REPOSITORY) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "composer", "init", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    return subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", FOLDERS)
def test_what_is_written_is_right_and_without_a_mistake(tmp_path: Path, name: str) -> None:
    place = folder(tmp_path / name, FOLDERS[name])
    kind, in_dockerfile, databases = WANTED[name]

    done = init(place)
    assert done.returncode == 0, done.stderr
    assert f"for {kind}" in done.stdout

    assert in_dockerfile in (place / "Dockerfile").read_text()
    assert "{{" not in (place / "Dockerfile").read_text() + (place / ".dockerignore").read_text()
    loaded = load(LoadOptions(directory=place), {})
    assert set(loaded.project.services) == {"web", *databases}
    assert (loaded.warnings, loaded.obstacles, findings(loaded)) == ((), (), [])
    text = (place / "compose.yaml").read_text()
    assert text.startswith("# yaml-language-server: $schema=/")
    assert Path(text.splitlines()[0].partition("=")[2]).is_file()
    assert list(Draft202012Validator(compose_schema()).iter_errors(yaml.safe_load(text))) == []
    if program := oracle():
        assert subprocess.run([program, "config", "-q"], cwd=place, check=False).returncode == 0


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    place = folder(tmp_path, {"index.html": "", "Dockerfile": "FROM mine\n"})
    assert "kept   Dockerfile" in init(place).stdout
    assert (place / "Dockerfile").read_text() == "FROM mine\n"

    before = (place / "compose.yaml").read_text()
    again = init(place)
    assert again.returncode != 0
    assert "there is a `compose.yaml` already" in again.stderr
    assert (place / "compose.yaml").read_text() == before


def test_the_kind_and_the_databases_can_be_said(tmp_path: Path) -> None:
    assert "nothing in `.` tells what it holds" in init(tmp_path).stderr
    assert "`cobol` is not a kind" in init(tmp_path, "--kind", "cobol").stderr
    assert "there is no directory `x`" in init(tmp_path, "x").stderr
    (tmp_path / "requirements.txt").write_text("psycopg")
    assert init(tmp_path, "--kind", "node", "--redis", "--no-postgres").returncode == 0

    services = yaml.safe_load((tmp_path / "compose.yaml").read_text())["services"]
    assert set(services) == {"web", "cache"}
    assert services["web"]["environment"] == {"REDIS_URL": "redis://cache:6379/0"}


def test_a_dockerfile_that_is_there_is_what_is_built(tmp_path: Path) -> None:
    recipe = "FROM python:3.13-slim\nEXPOSE 9090/tcp\n"
    (tmp_path / "Dockerfile").write_text(recipe)
    (tmp_path / "requirements.txt").write_text("psycopg")

    assert "for your Dockerfile" in init(tmp_path).stdout

    services = yaml.safe_load((tmp_path / "compose.yaml").read_text())["services"]
    assert (services["web"]["build"], services["web"]["ports"]) == (".", ["127.0.0.1:9090:9090"])
    assert set(services) == {"web", "db"}
    assert (tmp_path / "Dockerfile").read_text() == recipe
    assert load(LoadOptions(directory=tmp_path), {}).warnings == ()


def test_an_empty_folder_is_not_guessed(tmp_path: Path) -> None:
    assert detect(tmp_path) is None


def test_an_installed_composer_carries_its_templates_and_schema(tmp_path: Path) -> None:
    pip = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(tmp_path / "wheel"), str(REPOSITORY)]
    if subprocess.run(pip, capture_output=True, check=False).returncode:
        pytest.skip("no wheel can be built here: hatchling cannot be had")
    (wheel,) = (tmp_path / "wheel").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "installed")

    done = init(folder(tmp_path / "page", FOLDERS["page"]), root=tmp_path / "installed")
    assert done.returncode == 0, done.stderr
    schema = (tmp_path / "page/compose.yaml").read_text().splitlines()[0].partition("=")[2]
    assert Path(schema) == tmp_path / "installed/composer/schemas/compose.schema.json"
