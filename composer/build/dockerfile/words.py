"""How the arguments of an instruction are split: at spaces, into quoted words, or as a JSON array.

Each kind of instruction has its own way, and each way its oddities; they are those of Docker's parser.
"""

from __future__ import annotations

import json
import re

from composer.build.dockerfile.spaces import SPACES, is_space

_BETWEEN = re.compile(r"[\t\v\f\r ]+")
_SURROGATE = re.compile("[\ud800-\udfff]")


def at_spaces(text: str, limit: int = 0) -> list[str]:
    """The text split at runs of spaces; at most `limit` times if that is not 0."""
    return _BETWEEN.split(text, maxsplit=limit) if text else []


def quoted_words(text: str, escape: str) -> list[str]:
    """The words of `name="a value" other=b\\ c`; quotes and escapes stay in them, for `expand` to take away."""
    words: list[str] = []
    word: list[str] = []
    started = False
    quote = ""
    index = 0
    while index < len(text):
        character = text[index]
        index += 1
        if not quote and is_space(character):
            if started:
                words.append("".join(word))
            word, started = [], False
            continue
        # An escape at the very end is dropped; within single quotes it is a character like others.
        if character == escape and quote != "'":
            if index == len(text):
                break
            word.append(character)
            character = text[index]
            index += 1
        elif quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        word.append(character)
        started = True
    return [*words, "".join(word)] if word else words


def json_strings(text: str) -> list[str] | None:
    """The strings of a JSON array; None if the text is no JSON array. Raises ValueError if not all are strings."""
    text = text.strip(SPACES)
    if not text.startswith("["):
        return None
    try:
        values = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None
    if not all(isinstance(value, str) for value in values):
        raise ValueError("a JSON array of a command may hold strings only")
    return [_SURROGATE.sub("\ufffd", value) for value in values]


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")
