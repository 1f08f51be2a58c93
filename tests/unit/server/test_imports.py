import subprocess
import sys

PROGRAM = """
import sys
import composer.server.__main__
print([name for name in sys.argv[1:] if name in sys.modules])
"""
SELDOM = [
    "aiohttp",
    "importlib.metadata",
    "rich",
    "typer",
    "jinja2",
    "yaml",
    "composer.build",
    "composer.registry",
    "composer.watch",
]


def test_an_engine_begins_without_what_many_an_engine_never_does() -> None:
    command = [sys.executable, "-c", PROGRAM, *SELDOM]

    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "[]\n"
