import subprocess
import sys
from pathlib import Path

import pytest

import composer.cli.commands
from composer.__main__ import main
from composer.cli.app import _COMMANDS


def test_every_command_has_a_module_and_every_module_is_a_command() -> None:
    directory = Path(composer.cli.commands.__file__).parent

    assert sorted(_COMMANDS) == sorted(path.stem for path in directory.glob("*.py") if path.stem != "__init__")
    assert list(_COMMANDS) == sorted(_COMMANDS)


@pytest.mark.parametrize("name", list(_COMMANDS))
def test_every_command_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name, "--help"]) == 0
    assert f"Usage: compose {name}" in capsys.readouterr().out


def test_help_is_a_command_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["help"]) == 0
    assert "Commands:" in capsys.readouterr().out
    assert main(["help", "up"]) == 0
    assert "Usage: compose up" in capsys.readouterr().out


def test_help_lists_all_commands_without_importing_any() -> None:
    script = (
        "import sys; from composer.__main__ import main; main(['--help']); "
        "assert not [m for m in sys.modules if m.startswith('composer.cli.commands.')]"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert all(f"  {name}" in done.stdout for name in _COMMANDS)


def test_the_version_costs_no_engine_no_project_and_no_rich() -> None:
    script = (
        "import sys; from composer.__main__ import main; main(['version']); "
        "print([m for m in ('rich', 'aiohttp', 'yaml', 'http.client', 'composer.api.client', 'composer.project.loader', "
        "'composer.api.messages', 'subprocess' if 'typer' not in sys.modules else 'asyncio') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[1] == "[]"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["dwn"], "`dwn` is not a command; did you mean `down`?"),
        (["UP"], "`UP` is not a command; did you mean `up`?"),
        (["stats"], "`stats` is not a command of composer: `compose top` shows the processes"),
        (["ps", "--quite"], "No such option: --quite"),
        (["--parallel", "3", "ps"], "`--parallel` is not an option of composer: as much as possible"),
        (["volumes"], "`compose config --volumes` lists"),
        (["exec"], "Missing argument"),
    ],
)
def test_a_wrong_command_line_ends_with_16_as_docker_composes(
    arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 16
    assert complaint in capsys.readouterr().err


def test_version_has_three_forms(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["version", "--short"], ["version", "-f", "json"], ["--version"]):
        assert main(arguments) == 0

    assert capsys.readouterr().out == '0.1.0\n{"version":"0.1.0"}\ncomposer version 0.1.0\n'


def test_no_command_shows_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert "Commands:" in capsys.readouterr().out


def test_a_reader_that_leaves_early_is_no_error() -> None:
    script = f"{sys.executable} -m composer --help | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)

    assert done.stderr == ""


@pytest.mark.parametrize(
    "script",
    [
        f"{sys.executable} -m composer version >&-",
        f"LC_ALL=C PYTHONUTF8=0 PYTHONIOENCODING=latin-1 {sys.executable} -m composer --help",
    ],
)
def test_a_poor_stdout_ends_no_command(script: str) -> None:
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")
