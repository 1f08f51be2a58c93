"""Dockerfiles of ordinary projects, with the package managers that people use, built from public names and run."""

from __future__ import annotations

import pytest

from tests.e2e.harness import Engine, Project, fetched
from tests.make.ports import free_port

_LONG = 600.0

PYTHON = {
    "compose.yaml": """
services:
  web:
    build: .
    ports: ["127.0.0.1:${PORT}:5000"]
""",
    "Dockerfile": """\
FROM python:3.11-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends gettext-base && rm -rf /var/lib/apt/lists/*
RUN python -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH
COPY requirements.txt .
RUN --mount=type=cache,target=/root/.cache/pip pip install -r requirements.txt
RUN echo '$GREETING from a build' | GREETING=hello envsubst > /greeting

FROM python:3.11-slim
COPY --from=build /opt/venv /opt/venv
COPY --from=build /greeting /greeting
ENV PATH=/opt/venv/bin:$PATH
WORKDIR /app
COPY app.py .
USER nobody
CMD ["flask", "run", "--host=0.0.0.0"]
""",
    "requirements.txt": "flask==3.1.*\n",
    "app.py": """\
from flask import Flask

app = Flask(__name__)


@app.get("/")
def index():
    return open("/greeting").read()
""",
}

NODE = {
    "compose.yaml": """
services:
  web:
    build:
      context: .
      target: ${TARGET:-production}
    ports: ["127.0.0.1:${PORT}:80"]
""",
    ".dockerignore": "node_modules\n",
    "Dockerfile": """\
# syntax=docker/dockerfile:1
FROM node:18-slim AS base
WORKDIR /app
COPY package*.json ./
RUN npm install --no-audit
COPY . .

FROM base AS build
RUN npm run build

FROM nginx:1.22 AS production
COPY --from=build --chown=www-data:www-data /app/dist /usr/share/nginx/html
""",
    "package.json": """\
{"private": true, "type": "module", "scripts": {"build": "vite build"}, "devDependencies": {"vite": "^5.4.11"}}
""",
    "index.html": '<!doctype html><title>page</title><script type="module" src="/main.js"></script>\n',
    "main.js": 'document.body.textContent = "made by vite";\n',
    "node_modules/not-copied": "x",
}

COMPILED = {
    "compose.yaml": """
services:
  tool:
    build:
      context: .
      args: {VERSION: "1.2"}
""",
    "Dockerfile": """\
FROM gcc:12 AS build
ARG VERSION=0
WORKDIR /src
COPY . .
RUN make VERSION=$VERSION

FROM scratch
COPY --from=build --chmod=755 /src/tool /tool
ENTRYPOINT ["/tool"]
CMD ["world"]
""",
    "Makefile": "tool: tool.c\n\tcc -O2 -static -DVERSION='\"$(VERSION)\"' -o $@ $<\n",
    "tool.c": """\
#include <stdio.h>
int main(int count, char **words) { printf("hello %s, %s\\n", count > 1 ? words[1] : "nobody", VERSION); return 0; }
""",
}

DATABASE = {
    "compose.yaml": """
services:
  db:
    build: ./db
    environment: {POSTGRES_PASSWORD: secret}
    volumes: ["data:/var/lib/postgresql/data"]
    healthcheck:
      test: ["CMD", "pg_isready", "-U", "shop"]
      interval: 1s
      start_period: 30s
volumes:
  data:
""",
    "db/Dockerfile": """\
FROM postgres:15
ENV POSTGRES_USER=shop POSTGRES_DB=shop
COPY --chmod=755 *.sh *.sql /docker-entrypoint-initdb.d/
""",
    "db/10-schema.sql": "CREATE TABLE things (name text);\n",
    "db/20-data.sh": 'psql -q -U "$POSTGRES_USER" -d "$POSTGRES_DB" -c "INSERT INTO things VALUES (\'made by a script\')"\n',
}


def project(engine: Engine, name: str, files: dict[str, str]) -> Project:
    others = {path: text for path, text in files.items() if path != "compose.yaml"}
    return engine.project(files["compose.yaml"], name=name, files=others)


def test_python_with_apt_and_pip(connected: Engine) -> None:
    web = project(connected, "python", PYTHON)
    port = free_port()

    web.compose("up", "-d", environment={"PORT": str(port)}, timeout=_LONG, check=True)

    assert fetched(f"http://127.0.0.1:{port}/") == "hello from a build\n"


@pytest.mark.soak
def test_node_with_npm_and_vite(connected: Engine) -> None:
    web = project(connected, "node", NODE)
    port = free_port()

    web.compose("up", "-d", environment={"PORT": str(port)}, timeout=_LONG, check=True)

    assert "/assets/index-" in fetched(f"http://127.0.0.1:{port}/")


def test_a_compiled_program_in_two_stages(connected: Engine) -> None:
    tool = project(connected, "compiled", COMPILED)

    tool.compose("build", timeout=_LONG, check=True)

    assert tool.compose("run", "--rm", "tool", check=True).stdout == "hello world, 1.2\n"
    assert tool.compose("run", "--rm", "tool", "you", check=True).stdout == "hello you, 1.2\n"


def test_a_database_with_its_scripts(connected: Engine) -> None:
    shop = project(connected, "database", DATABASE)

    shop.compose("up", "-d", "--wait", timeout=_LONG, check=True)

    listed = shop.exec("db", "psql", "-U", "shop", "-At", "-c", "SELECT name FROM things")
    assert listed.stdout == "made by a script\n"


def test_a_second_build_finds_all_done(connected: Engine) -> None:
    tool = project(connected, "again", COMPILED)
    tool.compose("build", timeout=_LONG, check=True)

    again = tool.compose("build", check=True)

    assert "cached" in again.output.lower()
    assert " 0 run " in again.output
