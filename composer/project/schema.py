"""The table of attributes as JSON Schema, for editors: `python -m composer.project.schema` writes `schemas/compose.schema.json`.

The schema describes the *input*: short and long forms, with descriptions and examples. A file that passes it may still
be refused, for what needs more than a grammar.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from composer.project.attributes import COMPOSE, HEALTHCHECK, NETWORK, SERVICE, VOLUME
from composer.project.attributes_build import BUILD
from composer.project.attributes_deploy import DEPLOY
from composer.project.attributes_files import CONFIG, SECRET

TARGET = Path(__file__).resolve().parents[2] / "schemas" / "compose.schema.json"
DEFINITIONS = {
    "service": SERVICE,
    "build": BUILD,
    "healthcheck": HEALTHCHECK,
    "network": NETWORK,
    "volume": VOLUME,
    "deploy": DEPLOY,
    "secret": SECRET,
    "config": CONFIG,
}


def compose_schema() -> dict[str, Any]:
    """The schema of a Compose file (draft 2020-12)."""
    definitions = {name: record.schema() for name, record in DEFINITIONS.items()}
    whole = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Compose file",
        "description": "A project for composer. Generated from composer/project/attributes.py.",
        **COMPOSE.schema(),
    }
    result: dict[str, Any] = _shared(whole, definitions)
    result["$defs"] = {
        name: {"title": name} | {key: _shared(value, definitions) for key, value in schema.items()}
        for name, schema in definitions.items()
    }
    # A file to be merged with others may leave the services to them.
    result.pop("required", None)
    return result


def _shared(schema: Any, definitions: dict[str, dict[str, Any]]) -> Any:
    """The schema with references in place of what is a definition of its own."""
    match schema:
        case dict():
            about = ("title", "description", "default", "examples")
            doc = {key: value for key, value in schema.items() if key in about}
            bare = {key: value for key, value in schema.items() if key not in about}
            for name, definition in definitions.items():
                if bare == definition:
                    return doc | {"$ref": f"#/$defs/{name}"}
            return {key: _shared(value, definitions) for key, value in schema.items()}
        case list():
            return [_shared(item, definitions) for item in schema]
        case _:
            return schema


def main() -> None:
    """Write the schema to its place in the source tree."""
    TARGET.write_text(json.dumps(compose_schema(), indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
