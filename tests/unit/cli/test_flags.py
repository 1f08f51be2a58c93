from typing import Any

import pytest
import typer

from composer.cli.app import root_command
from composer.cli.flags import take_flags
from composer.errors import UsageError


def parsed(command: str, *args: str) -> dict[str, Any]:
    root = root_command()
    context = typer.Context(root, info_name="compose")
    chosen = root.get_command(context, command)
    made = chosen.make_context(command, list(args), parent=context)
    return dict(made.params)


def params(command: str) -> list[Any]:
    root = root_command()
    found = root.get_command(typer.Context(root), command)
    return list(found.params)


@pytest.mark.parametrize("word", ["true", "TRUE", "1", "t"])
def test_a_flag_may_be_said_to_be_true(word: str) -> None:
    assert parsed("up", f"--detach={word}")["detach"] is True
    assert parsed("up", f"-d={word}")["detach"] is True


@pytest.mark.parametrize("word", ["false", "False", "0", "f"])
def test_a_flag_may_be_said_to_be_false(word: str) -> None:
    assert parsed("up", f"--detach={word}", "--scale", "web=2")["detach"] is False
    assert parsed("ps", f"--orphans={word}")["orphans"] is False
    assert parsed("config", f"--no-normalize={word}")["normalize"] is True


def test_of_each_flag_the_last_word_counts() -> None:
    assert parsed("up", "-d", "--detach=false")["detach"] is False
    assert parsed("up", "--detach=false", "-d")["detach"] is True
    assert parsed("exec", "-T=false", "-dT", "web", "true")["no_tty"] is True


def test_another_value_is_refused() -> None:
    with pytest.raises(UsageError, match="`--detach` is either true or false, not `maybe`"):
        parsed("up", "--detach=maybe")


@pytest.mark.parametrize(
    "args",
    [
        ["-e", "--rm=false", "web"],
        ["-Te", "--rm=false", "web"],
        ["--env", "--rm=false", "web"],
        ["web", "prog", "--rm=false"],
        ["--", "web", "--rm=false"],
        ["--no-such=false", "web"],
    ],
)
def test_what_belongs_to_others_is_left_alone(args: list[str]) -> None:
    assert take_flags(args, params("run"), interspersed=False) == (args, {})


@pytest.mark.parametrize("value", [["-eNAMe"], ["--env=A=1"], ["-eA=1"], ["-it"]])
def test_a_value_that_is_attached_takes_nothing_more(value: list[str]) -> None:
    assert take_flags([*value, "--rm=false", "web"], params("run"), interspersed=False) == (
        [*value, "web"],
        {"remove": False},
    )


def said_before(command: str, *args: str) -> dict[str, Any]:
    root = root_command()
    context = typer.Context(root, info_name="compose")
    context.params["dry_run"] = True
    chosen = root.get_command(context, command)
    return dict(chosen.make_context(command, list(args), parent=context).params)


@pytest.mark.parametrize("command", ["up", "down", "restart", "pull", "build"])
def test_a_dry_run_can_be_asked_for_before_the_command(command: str) -> None:
    assert said_before(command)["dry_run"] is True
    assert parsed(command)["dry_run"] is False


def test_what_cannot_be_tried_dry_is_refused_and_what_only_looks_is_not() -> None:
    said_before("ps")
    with pytest.raises(UsageError, match="`compose exec` cannot only say what it would do"):
        said_before("exec", "web", "true")
