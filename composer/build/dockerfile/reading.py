"""What the readers of instructions share: one statement, its flags, and where to say what is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto
from typing import Any

from composer.build.dockerfile.flags import Flag
from composer.build.dockerfile.heredoc import is_heredoc
from composer.build.dockerfile.instructions import Command, ExecForm, ShellForm
from composer.build.dockerfile.problems import Problems, did_you_mean, listing
from composer.build.dockerfile.spaces import SPACES
from composer.build.dockerfile.statements import Statement
from composer.build.dockerfile.words import at_spaces, json_strings


class UnreadableError(Exception):
    """The statement cannot become an instruction; why is among the problems."""


class Kind(Enum):
    """What a flag takes."""

    TEXT = auto()
    TEXTS = auto()
    """The flag may be repeated."""
    SWITCH = auto()


class Reading:
    """One statement being read."""

    def __init__(self, statement: Statement, escape: str, problems: Problems) -> None:
        self.statement = statement
        self.escape = escape
        self.problems = problems

    @property
    def common(self) -> dict[str, Any]:
        """What every instruction is made with."""
        statement = self.statement
        return {
            "keyword": statement.keyword,
            "text": statement.text.strip(SPACES),
            "span": statement.span,
            "comments": statement.comments,
        }

    def wrong(self, message: str, part: str = "", *, hint: str = "") -> None:
        """Note a problem with the argument `part`, or with all of them."""
        statement = self.statement
        start = statement.text.find(part, statement.arguments) if part else -1
        if start < 0:
            start, part = statement.arguments, statement.text[statement.arguments :]
        if not part.strip():
            start, part = statement.start, statement.keyword
        self.problems.add(message, statement.place(start, start + len(part.rstrip())), hint=hint)

    def fail(self, message: str, part: str = "", *, hint: str = "") -> UnreadableError:
        """Note a problem as `wrong` does; the result is to be raised."""
        self.wrong(message, part, hint=hint)
        return UnreadableError()

    def wrong_keyword(self, message: str, *, hint: str = "") -> UnreadableError:
        """Note a problem with the instruction's name; the result is to be raised."""
        self.problems.add(message, self.statement.keyword_place, hint=hint)
        return UnreadableError()

    def wrong_flag(self, flag: Flag, message: str, *, hint: str = "") -> None:
        """Note a problem with a flag."""
        self.problems.add(message, self.statement.place(flag.start, flag.end), hint=hint)

    def flag(self, name: str) -> Flag:
        """The last flag of that name, which must be there."""
        return next(flag for flag in reversed(self.statement.flags) if flag.name == name)

    def flags(self, known: Mapping[str, Kind]) -> dict[str, Any]:
        """The values of the flags that are set: `str`, `list[str]` or `bool`."""
        values: dict[str, Any] = {}
        for flag in self.statement.flags:
            kind = known.get(flag.name)
            if kind is None:
                self._unknown(flag, known)
            elif flag.name in values and kind is not Kind.TEXTS:
                self.wrong_flag(flag, f"the flag `--{flag.name}` stands twice")
            elif kind is Kind.SWITCH:
                values[flag.name] = self._switch(flag)
            elif flag.value is None:
                self.wrong_flag(flag, f"the flag `--{flag.name}` needs a value", hint=f"write `--{flag.name}=…`")
            elif kind is Kind.TEXT:
                values[flag.name] = flag.value
            else:
                values.setdefault(flag.name, []).append(flag.value)
        return values

    def _unknown(self, flag: Flag, known: Mapping[str, Kind]) -> None:
        name = self.statement.name
        if known:
            takes = f"`{name}` knows {listing(f'--{candidate}' for candidate in known)}"
            hint = did_you_mean(flag.name, known).replace("`", "`--", 1) or takes
        else:
            hint = f"`{name}` has no flags"
        self.wrong_flag(flag, f"`{name}` does not know the flag `--{flag.name}`", hint=hint)

    def _switch(self, flag: Flag) -> bool:
        value = (flag.value if flag.value is not None else "true").lower()
        if value not in ("true", "false"):
            message = f"the flag `--{flag.name}` takes `true` or `false`, not `{flag.value}`"
            self.wrong_flag(flag, message)
        return value == "true"

    def one(self) -> str:
        """The arguments as one text, of which there must be something."""
        if not self.statement.rest:
            raise self.fail(f"`{self.statement.name}` requires exactly one argument")
        return self.statement.rest

    def strings(self) -> list[str] | None:
        """The arguments as a JSON array, None if they are none."""
        try:
            return json_strings(self.statement.rest)
        except ValueError as error:
            raise self.fail(str(error)) from None

    def words(self) -> list[str]:
        """The arguments: a JSON array, or split at spaces."""
        strings = self.strings()
        return strings if strings is not None else at_spaces(self.statement.rest)

    def command(self) -> Command:
        """The arguments as a command: a JSON array is one without a shell."""
        strings = self.strings()
        if strings is not None:
            return ExecForm(tuple(strings))
        text = self.statement.rest
        return ShellForm(text, self.statement.heredocs, bool(self.statement.heredocs) and is_heredoc(text))
