"""`--detach=false`: flags with a value, as Docker's command line takes them and typer does not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from typer.core import TyperCommand, TyperGroup, TyperOption

from composer.errors import UsageError

_WORDS = {
    **dict.fromkeys(("1", "t", "T", "true", "TRUE", "True"), True),
    **dict.fromkeys(("0", "f", "F", "false", "FALSE", "False"), False),
}
"""What Go's `strconv.ParseBool` understands."""
_HARMLESS = {
    "check", "config", "explain", "images", "logs", "ls", "port", "ps", "toolchain", "top", "version",
    "status", "inspect", "history", "verify", "df",
}  # fmt: skip
"""Commands that change nothing anyway."""


class FlagCommand(TyperCommand):
    """A command whose flags may have a value."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse as ever, but for the values of flags, and with the `--dry-run` that stands before the command."""
        rest = _parse(super().parse_args, self.params, ctx, args)
        if ctx.find_root().params.get("dry_run") and not ctx.resilient_parsing:
            if "dry_run" in ctx.params:
                ctx.params["dry_run"] = True
            elif self.name not in _HARMLESS:
                raise UsageError(f"`{ctx.command_path}` cannot only say what it would do", hint="leave `--dry-run` out")
        return rest


class FlagGroup(TyperGroup):
    """A group of commands whose own flags may have a value."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse as ever, but for the values of flags."""
        return _parse(super().parse_args, self.params, ctx, args)


def _parse(parse: Callable[[Any, list[str]], list[str]], params: Iterable[Any], ctx: Any, args: list[str]) -> list[str]:
    kept, said = take_flags(args, params, interspersed=ctx.allow_interspersed_args)
    rest = parse(ctx, kept)
    ctx.params.update(said)
    return rest


def take_flags(args: Sequence[str], params: Iterable[Any], *, interspersed: bool) -> tuple[list[str], dict[str, bool]]:
    """The arguments without flags that have a value, and these values by parameter: of each flag the last word counts.

    What follows `--`, belongs to an option before it, or (where they are not `interspersed`) follows the first argument that is
    no option, is left alone. Raises UsageError for a value that is neither true nor false.
    """
    if not any(argument.startswith("-") and "=" in argument for argument in args):
        return list(args), {}
    options = {name: each for each in params if isinstance(each, TyperOption) for name in _names(each)}
    kept: list[str] = []
    said: dict[str, bool] = {}
    rest = iter(args)
    for argument in rest:
        name, equals, value = argument.partition("=")
        if argument == "--" or not (interspersed or argument.startswith("-")):
            return [*kept, argument, *rest], said
        if equals and (flag := options.get(name)) is not None and flag.is_bool_flag:
            if value not in _WORDS:
                raise UsageError(f"`{name}` is either true or false, not `{value}`")
            said[str(flag.name)] = _WORDS[value] is (name not in flag.secondary_opts)
            continue
        kept.append(argument)
        for option, attached in _meant(name, options):
            said.pop(str(option.name), None)
            if not (_is_flag(option) or attached or equals):
                kept.extend(value for value in (next(rest, None),) if value is not None)
    return kept, said


def _names(option: TyperOption) -> list[str]:
    return [*option.opts, *option.secondary_opts]


def _is_flag(option: TyperOption) -> bool:
    return option.is_flag or option.count


def _meant(name: str, options: dict[str, TyperOption]) -> list[tuple[TyperOption, str]]:
    """The options in an argument, each with what follows it there: of `-itp80` up to the first that takes that for its value."""
    if name in options:
        return [(options[name], "")]
    meant: list[tuple[TyperOption, str]] = []
    if name[:1] == "-" and name[1:2] != "-":
        for place, letter in enumerate(name[1:], 2):
            option = options.get(f"-{letter}")
            if option is None:
                break
            meant.append((option, name[place:]))
            if not _is_flag(option):
                break
    return meant
