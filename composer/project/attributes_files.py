"""The attributes of secrets and configs: where their content comes from, and to whom it is given.

<https://github.com/compose-spec/compose-spec/blob/main/09-secrets.md>, `08-configs.md`. The short form of a grant is a
name; canonical is `source` with what else was said.
"""

from __future__ import annotations

from composer.project import forms
from composer.project.records import ListOf, Record
from composer.project.rows import LABELS, NUMBERED, PAIRS, of, unheard
from composer.project.shapes import Flag, Parsed, Text

EXTERNAL = forms.Either(Flag(), Record({"name": of(Text(), "Its name; `name` beside `external` is the newer way.")}))

GRANT = Record(
    {
        "source": of(Text(), "Which one, by its key at the top level.", required=True),
        "target": of(Text(), "The file in the container.", examples=("/etc/app.conf",)),
        "uid": of(NUMBERED, "Who owns the file: a number.", default="0"),
        "gid": of(NUMBERED, "Whose group it is: a number.", default="0"),
        "mode": of(Parsed("permissions", forms.parse_mode, ("0440",)), "The file's permissions, in octal."),
    },
    alone="source",
    needs=("source",),
)
GRANTS = ListOf(GRANT)
"""What a service is granted."""

_UNHEARD = "No effect in a build: `RUN --mount=type=secret` says it where the secret is used."
BUILD_GRANTS = ListOf(
    Record(
        {
            "source": of(Text(), "Which one, by its key at the top level.", required=True),
            "target": of(Text(), "The id that `RUN --mount=type=secret,id=…` knows it by; `source` if left out."),
            "uid": unheard(NUMBERED, _UNHEARD),
            "gid": unheard(NUMBERED, _UNHEARD),
            "mode": unheard(Parsed("permissions", forms.parse_mode, ("0440",)), _UNHEARD),
        },
        alone="source",
        needs=("source",),
    )
)
"""What a build is granted."""

_SOURCES = {
    "name": of(Text(), "Its name outside of this file; `PROJECT_KEY` if left out."),
    "file": of(Text(), "The file whose content it is.", examples=("./token.txt",)),
    "environment": of(Text(), "The variable whose value it is.", examples=("TOKEN",)),
    "external": of(EXTERNAL, "It is kept elsewhere: there is no such place here."),
    "labels": LABELS,
    "template_driver": of(
        Text(),
        "How the content is rendered: `jinja2`; see docs/templates.md.",
        examples=("jinja2",),
    ),
}

SECRET = Record(
    _SOURCES
    | {
        "driver": unheard(Text(), "Only with Swarm."),
        "driver_opts": unheard(PAIRS, "Only with Swarm."),
    },
    title="secret",
    usual="file",
)

CONFIG = Record(
    _SOURCES | {"content": of(Text(), "The content itself.", examples=("debug = ${DEBUG:-false}\n",))},
    title="config",
    usual="file",
)
