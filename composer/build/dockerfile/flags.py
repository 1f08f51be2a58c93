"""`--name=value` between an instruction's keyword and its arguments."""

from __future__ import annotations

from dataclasses import dataclass

_SPACES = "\t\n\v\f\r "


@dataclass(frozen=True, slots=True)
class Flag:
    """One flag with its quotes and escapes taken away; `start` and `end` are its place in the statement's text."""

    text: str
    start: int
    end: int

    @property
    def name(self) -> str:
        """What stands between `--` and `=`."""
        return self.text[2:].partition("=")[0]

    @property
    def value(self) -> str | None:
        """What stands behind `=`; None without one."""
        _, equals, value = self.text.partition("=")
        return value if equals else None


def split_flags(text: str, at: int) -> tuple[tuple[Flag, ...], int]:
    """The flags from `at` on, and where the arguments begin. A lone `--` ends the flags."""
    flags: list[Flag] = []
    while True:
        while at < len(text) and text[at] in _SPACES:
            at += 1
        if not text.startswith("--", at):
            return tuple(flags), at
        word, end = _word(text, at)
        if word == "--":
            return tuple(flags), end
        flags.append(Flag(word, at, end))
        at = end


def _word(text: str, at: int) -> tuple[str, int]:
    """The word that begins at `at`, and where it ends. A backslash escapes here whatever the file's escape is."""
    word: list[str] = []
    quote = ""
    while at < len(text):
        character = text[at]
        if not quote and character in _SPACES:
            break
        at += 1
        if character == quote:
            quote = ""
        elif not quote and character in "'\"":
            quote = character
        elif character != "\\":
            word.append(character)
        elif at < len(text):
            word.append(text[at])
            at += 1
    return "".join(word), at
