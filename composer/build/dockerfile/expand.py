"""Variables, quotes and escapes in a word, as BuildKit's shell lexer reads them.

`$name` and `${name}`, and with a word behind the name: `:-` `-` (a default) `:+` `+` (instead) `:?` `?` (or an error), `#` `##`
(without the shortest, longest prefix) `%` `%%` (without the suffix) `/` `//` (the first, each replaced). `'…'` is literal, `"…"`
expands, the escape character takes the meaning from the next one. Words in `${…}` are expanded in turn.
<https://docs.docker.com/reference/dockerfile/#environment-replacement>
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from composer.build.dockerfile import patterns
from composer.build.dockerfile.spaces import is_space

MAX_DEPTH = 40
MAX_RESULT = 1 << 20
_SPECIAL = re.compile(r"""[\s$'"]""")


class ExpansionError(ValueError):
    """A word that cannot be expanded; the message is in BuildKit's words."""


@dataclass(frozen=True, slots=True)
class Expanded:
    """What a word is worth."""

    text: str
    words: tuple[str, ...]
    """The text split at spaces, except those that were quoted."""
    used: frozenset[str]
    """The variables that were asked for and have a value."""
    undefined: frozenset[str]
    """Those that have none."""


def expand(
    word: str,
    env: Mapping[str, str],
    escape: str = "\\",
    *,
    quotes: bool = True,
    raw_quotes: bool = False,
    raw_escapes: bool = False,
    keep_undefined: bool = False,
) -> Expanded:
    """`word` with the variables of `env`.

    `quotes=False` takes quotes as ordinary characters (heredocs); `raw_quotes` and `raw_escapes` leave them standing,
    `keep_undefined` leaves `$name` standing where there is no such name.

    Raises:
        ExpansionError: unbalanced quotes or braces, an unknown modifier, `?` says so, or it grows beyond all bounds.
    """
    if escape not in word and word.isprintable() and not _SPECIAL.search(word):
        return Expanded(word, (word,) if word else (), frozenset(), frozenset())
    lexer = _Lexer(word, env, escape, quotes, raw_quotes, raw_escapes, keep_undefined)
    try:
        text, words = lexer.until("", raw_escapes)
    except ExpansionError as error:
        shown = word if len(word) <= 200 else f"{word[:200]}…"
        raise ExpansionError(f"failed to process `{shown}`: {error}") from None
    return Expanded(text, tuple(words), frozenset(lexer.used), frozenset(lexer.undefined))


@dataclass(slots=True)
class _Words:
    """Splits what is added at spaces; raw text may hold spaces."""

    done: list[str] = field(default_factory=list)
    word: list[str] = field(default_factory=list)

    def add(self, text: str) -> None:
        for character in text:
            if is_space(character):
                self.end()
            else:
                self.word.append(character)

    def end(self) -> None:
        if word := "".join(self.word):
            self.done.append(word)
        self.word.clear()


class _Lexer:
    def __init__(
        self,
        word: str,
        env: Mapping[str, str],
        escape: str,
        quotes: bool,
        raw_quotes: bool,
        raw_escapes: bool,
        keep_undefined: bool,
    ) -> None:
        self._word = word
        self._at = 0
        self._env = env
        self._escape = escape
        self._special = "$'\"" if quotes else "$"
        self._raw_quotes = raw_quotes
        self._raw_escapes = raw_escapes
        self._keep_undefined = keep_undefined
        self._depth = 0
        self._grown = 0
        self.used: set[str] = set()
        self.undefined: set[str] = set()

    def until(self, stop: str, raw_escapes: bool) -> tuple[str, list[str]]:
        """The text up to `stop`, which is passed over, or to the end if that is empty; and its words."""
        outside, self._raw_escapes = self._raw_escapes, raw_escapes
        result: list[str] = []
        words = _Words()
        while (character := self._peek()) and character != stop:
            if character in self._special:
                piece = {"$": self._dollar, "'": self._single, '"': self._double}[character]()
                if character == "$":
                    words.add(piece)
                else:
                    words.word.append(piece)
            else:
                piece = self._next()
                if piece == self._escape:
                    piece = (piece if raw_escapes else "") + self._next()
                    words.word.append(piece)
                else:
                    words.add(piece)
            result.append(piece)
        self._raw_escapes = outside
        if stop and not self._next():
            raise ExpansionError(f"unexpected end of statement while looking for matching {stop}")
        words.end()
        return "".join(result), words.done

    def _peek(self) -> str:
        return self._word[self._at : self._at + 1]

    def _next(self) -> str:
        character = self._peek()
        self._at += 1
        return character

    def _single(self) -> str:
        self._at += 1
        end = self._word.find("'", self._at)
        if end < 0:
            raise ExpansionError("unexpected end of statement while looking for matching single-quote")
        text, self._at = self._word[self._at : end], end + 1
        return f"'{text}'" if self._raw_quotes else text

    def _double(self) -> str:
        self._at += 1
        result: list[str] = []
        while (character := self._peek()) != '"':
            if not character:
                raise ExpansionError("unexpected end of statement while looking for matching double-quote")
            if character == "$":
                result.append(self._dollar())
                continue
            self._at += 1
            if character == self._escape:
                if self._raw_escapes:
                    result.append(character)
                following = self._peek()
                if not following:
                    continue
                if following in ('"', "$", self._escape):
                    character = self._next()
            result.append(character)
        self._at += 1
        text = "".join(result)
        return f'"{text}"' if self._raw_quotes else text

    def _dollar(self) -> str:
        self._at += 1
        if self._peek() == "{":
            self._at += 1
            self._depth += 1
            if self._depth > MAX_DEPTH:
                raise ExpansionError(f"more than {MAX_DEPTH} nested substitutions")
            result = self._braces()
            self._depth -= 1
        elif name := self._name():
            value = self._value(name)
            result = value if value is not None else f"${name}" if self._keep_undefined else ""
        else:
            result = "$"
        self._grown += len(result)
        if self._grown > MAX_RESULT:
            raise ExpansionError(f"the result is larger than {MAX_RESULT >> 20} MiB")
        return result

    def _braces(self) -> str:
        if not self._peek():
            raise ExpansionError("syntax error: missing '}'")
        if self._peek() in "{}:":
            raise ExpansionError("syntax error: bad substitution")
        name = self._name()
        modifier = self._next()
        if modifier == "}":
            value = self._value(name)
            return value if value is not None else f"${{{name}}}" if self._keep_undefined else ""
        if modifier == "/":
            return self._replace(name)
        colon, kind = ("", modifier) if modifier != ":" else (":", self._next())
        if not kind:
            raise ExpansionError("syntax error: missing '}'")
        if kind not in "+-?#%":
            raise ExpansionError(f"unsupported modifier ({colon}{kind}) in substitution")
        word = self._part("}", raw_escapes=kind in "#%")
        value = self._value(name)
        if value is None and self._keep_undefined:
            return f"${{{name}{colon}{kind}{word}}}"
        if kind in "#%":
            return self._without(kind, value or "", word)
        unset = value is None or (bool(colon) and not value)
        if kind == "?" and unset:
            what = "unset" if value is None else "empty"
            raise ExpansionError(f"{name}: {word or f'is not allowed to be {what}'}")
        if kind == "+":
            return "" if unset else word
        return word if unset else value or ""

    def _without(self, kind: str, value: str, word: str) -> str:
        longest = word.startswith(kind)
        cut = patterns.without_prefix if kind == "#" else patterns.without_suffix
        try:
            return cut(value, word[longest:], longest=longest)
        except ValueError as error:
            raise ExpansionError(f"invalid pattern ({word}) in substitution: {error}") from None

    def _replace(self, name: str) -> str:
        every = self._peek() == "/"
        self._at += every
        pattern = self._part("/", raw_escapes=True)
        replacement = self._part("}", raw_escapes=True)
        value = self._value(name)
        if value is None and self._keep_undefined:
            return f"${{{name}/{pattern}/{replacement}}}"
        try:
            return patterns.replaced(value or "", pattern, replacement, every=every)
        except ValueError as error:
            raise ExpansionError(f"invalid pattern ({pattern}) in substitution: {error}") from None

    def _part(self, stop: str, *, raw_escapes: bool) -> str:
        try:
            return self.until(stop, raw_escapes)[0]
        except ExpansionError as error:
            if self._peek():
                raise
            missing = "'}'" if stop == "}" else "'/' in ${}"
            raise ExpansionError(f"syntax error: missing {missing}") from error

    def _name(self) -> str:
        first = self._peek()
        if first and first in "@*#?-$!":
            return self._next()
        start = self._at
        allowed = str.isdigit if first.isdigit() else _in_name
        while (character := self._peek()) and allowed(character):
            self._at += 1
        return self._word[start : self._at]

    def _value(self, name: str) -> str | None:
        value = self._env.get(name)
        (self.undefined if value is None else self.used).add(name)
        return value


def _in_name(character: str) -> bool:
    return character.isalnum() or character == "_"
