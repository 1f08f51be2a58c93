"""The tasks API."""

import os

import psycopg
from flask import Flask, jsonify, request
from psycopg.rows import dict_row

app = Flask(__name__)

GREETING = "Things to do"


def database():
    """A connection; it commits at the end of a `with` block."""
    return psycopg.connect(os.environ["DATABASE_URL"], row_factory=dict_row)


@app.get("/api/health")
def health():
    """Whether the database answers."""
    with database() as connection:
        connection.execute("SELECT 1")
    return jsonify(status="ok")


@app.get("/api/tasks")
def tasks():
    """All tasks, and what to say above them."""
    with database() as connection:
        found = connection.execute("SELECT id, title, done FROM tasks ORDER BY id").fetchall()
    return jsonify(greeting=GREETING, tasks=found)


@app.post("/api/tasks")
def add():
    """A new task."""
    with database() as connection:
        row = connection.execute(
            "INSERT INTO tasks (title) VALUES (%s) RETURNING id, title, done", (request.json["title"],)
        ).fetchone()
    return jsonify(row), 201
