"""The attributes of `develop`, and of commands that accompany a container's life.

<https://github.com/compose-spec/compose-spec/blob/main/develop.md>, `05-services.md#post_start`.
"""

from __future__ import annotations

from composer.project import forms
from composer.project.records import Attribute, ListOf, Record
from composer.project.rows import ONE_OR_MORE, PAIRS, of
from composer.project.shapes import Flag, Text

_COMMAND: dict[str, Attribute] = {
    "command": of(forms.Words(), "What is run.", required=True, examples=("nginx -s reload",)),
    "user": of(Text(), "Who runs it; the container's user if left out."),
    "privileged": of(Flag(), "With all capabilities.", default=False),
    "working_dir": of(Text(), "Where it starts."),
    "environment": of(PAIRS, "Variables beside the container's."),
}

HOOKS = ListOf(Record(_COMMAND, needs=("command",)))
STEPS = ListOf(
    Record(
        _COMMAND
        | {
            "image": of(Text(), "The image it runs in; the service's own if left out."),
            "per_replica": of(Flag(), "Once for each container, not once for the service."),
        }
    )
)

WATCH = Record(
    {
        "path": of(
            Text(),
            "The file or directory to watch, relative to the project directory.",
            required=True,
            examples=("./src",),
        ),
        "action": of(
            Text(choices=("rebuild", "restart", "sync", "sync+restart", "sync+exec")),
            "What a change leads to.",
            required=True,
            examples=("sync",),
        ),
        "target": of(Text(), "Where changed files go in the container.", examples=("/app/src",)),
        "exec": of(Record(_COMMAND), "The command of `sync+exec`."),
        "ignore": of(ONE_OR_MORE, "Patterns of files that do not count.", examples=(["node_modules/", "**/*.log"],)),
        "include": of(ONE_OR_MORE, "Patterns of the only files that count.", examples=(["**/*.py"],)),
        "initial_sync": of(Flag(), "Bring the container up to date when the watching begins.", default=False),
    }
)

DEVELOP = Record({"watch": of(ListOf(WATCH), "What a change of files leads to.")}, title="develop")
