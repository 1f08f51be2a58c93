"""Files of variables: `.env` for interpolation and `env_file` for containers.

The syntax of <https://github.com/compose-spec/compose-spec/blob/main/05-services.md#env_file-format>:

    NAME=value  # comment        surrounding space does not count; `export NAME=…` and `NAME: …` are the same
    NAME="a\\n$B"                 escapes and variables, may span lines
    NAME='as it is'              may span lines; only `\\'` is an escape
    NAME                         taken from the environment, or left out

Variables in values are looked up in the environment first, then among those above in the same file. `format: raw`
is what `docker run --env-file` reads: `NAME=everything up to the end of the line`.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from composer.errors import Diagnostic, Location, ProjectError, Severity
from composer.project.interpolate import Lookup, TemplateError, substitute

MAX_LENGTH = 8 << 20
"""Of all values of a file together, once variables are filled in."""

_SPACE = re.compile(r"(?:\s|#[^\n]*)*")
_NAME = re.compile(r"(?:export[ \t]+)?([A-Za-z0-9_.\-\[\]]+)[ \t]*")
_SHOWN = re.compile(r"[ \t]*(?:export[ \t]+)?[A-Za-z0-9_.\-\[\] ]*[=:]")
_REST = re.compile(r"[ \t\r]*(?:#[^\n]*)?(?=\n|\Z)")
_COMMENT = re.compile(r"(?:^|[ \t])#.*")
_ESCAPE = re.compile(r"\\(?:[abcfnrtv$\"\\]|0[0-7]{0,3})")
_ESCAPED = {"a": "\a", "b": "\b", "c": "", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\", '"': '"'}


def parse_dotenv(
    text: str, name: str, lookup: Lookup, warn: Callable[[Diagnostic], None] = lambda _: None
) -> dict[str, str]:
    """The variables that a file sets, in order; `name` is what errors call the file.

    `warn` hears of what is not set and nothing stands in for.

    Raises:
        ProjectError: a line does not follow the syntax; the error shows it.
    """
    return _Reader(text.removeprefix("\ufeff").replace("\r\n", "\n"), name, lookup, warn).read()


def parse_raw(text: str, lookup: Lookup) -> dict[str, str]:
    """The variables of a file in `format: raw`."""
    variables: dict[str, str] = {}
    for line in text.removeprefix("\ufeff").splitlines():
        stripped = line.lstrip()
        if not stripped or stripped.startswith("#"):
            continue
        name, given, value = stripped.partition("=")
        inherited = None if given else lookup(name)
        if given or inherited is not None:
            variables[name] = inherited if inherited is not None else value
    return variables


class _Reader:
    """Reads one file from front to back."""

    def __init__(self, text: str, name: str, lookup: Lookup, warn: Callable[[Diagnostic], None]) -> None:
        self._text = text
        self._name = name
        self._outer = lookup
        self._warn = warn
        self._position = 0
        self._variables: dict[str, str] = {}
        self._length = 0

    def read(self) -> dict[str, str]:
        while True:
            self._skip(_SPACE)
            if self._position >= len(self._text):
                return self._variables
            self._statement()

    def _skip(self, pattern: re.Pattern[str]) -> bool:
        found = pattern.match(self._text, self._position)
        self._position = found.end() if found else self._position
        return found is not None

    def _statement(self) -> None:
        start = self._position
        found = _NAME.match(self._text, start)
        if not found:
            raise self._problem("a variable's name is made of letters, digits and `_`", start)
        name = found[1]
        self._position = found.end()
        sign = self._text[self._position : self._position + 1]
        if sign and sign in "=:":
            self._position += 1
            self._variables[name] = self._value(name, start)
            if "\0" in self._variables[name]:
                raise self._problem(f"`{name}` has a NUL in it: no process could be given it", start)
        elif self._skip(_REST):
            inherited = self._lookup(name)
            if inherited is not None:
                self._variables[name] = inherited
        else:
            hint = "a value of several lines stands in quotes"
            raise self._problem("`=` is missing after the variable's name", self._position, hint, start)

    def _value(self, name: str, start: int) -> str:
        while self._text[self._position : self._position + 1] in (" ", "\t"):
            self._position += 1
        quote = self._text[self._position : self._position + 1]
        if quote in ("'", '"') and quote:
            return self._quoted(quote, name, start)
        end = self._text.find("\n", self._position)
        line = self._text[self._position : end if end >= 0 else len(self._text)]
        self._position += len(line)
        # Only a `#` after space begins a comment: `pass#word` is a value.
        return self._substituted(_COMMENT.sub("", line, count=1).strip(), name, start)

    def _quoted(self, quote: str, name: str, start: int) -> str:
        opening = self._position
        position = opening + 1
        stop = re.compile(rf"[^{quote}\\]*(?:\\.[^{quote}\\]*)*", re.DOTALL).match(self._text, position)
        position = stop.end() if stop else position
        if self._text[position : position + 1] != quote:
            raise self._problem(f"the quote {quote} is never closed", opening, start=start)
        inside = self._text[opening + 1 : position]
        self._position = position + 1
        if not self._skip(_REST):
            raise self._problem("only a comment may follow the closing quote", self._position, start=start)
        if quote == "'":
            return inside.replace("\\'", "'")
        return self._substituted(_ESCAPE.sub(_unescape, inside), name, start)

    def _substituted(self, value: str, name: str, start: int) -> str:
        def missing(_: str) -> None:
            # Which variable is not told: behind a `$` that is meant as it is, it is half a password.
            message = f"`{name}` refers to a variable that is not set, an empty string stands in for it"
            hint = "for a `$` as it is put the value in single quotes; `${NAME:-}` says that this is meant"
            self._warn(Diagnostic(Severity.WARNING, message, self._location(start, start), "", hint))

        try:
            value = substitute(value, self._lookup, missing) if "$" in value else value
        except TemplateError as error:
            message = error.message.replace(error.part, "${…}")  # what else is in there may be a secret
            raise self._problem(message, start, error.hint or "put the value in single quotes") from error
        self._length += len(value)
        if self._length > MAX_LENGTH:
            raise self._problem(f"the variables hold more than {MAX_LENGTH >> 20} MiB", start)
        return value

    def _lookup(self, name: str) -> str | None:
        value = self._outer(name)
        return self._variables.get(name) if value is None else value

    def _problem(self, message: str, position: int, hint: str = "", start: int | None = None) -> ProjectError:
        """What is wrong at `position`, in the statement that begins at `start`."""
        return ProjectError([Diagnostic(Severity.ERROR, message, self._location(position, start), "", hint)])

    def _location(self, position: int, start: int | None) -> Location:
        """A place in the statement that begins at `start`.

        Values may be secrets, and what is printed is kept by others: of the line only the variable's name is shown.
        """
        first = self._text.rfind("\n", 0, position) + 1
        begins_here = (position if start is None else start) >= first
        named = _SHOWN.match(self._text, first) if begins_here else None
        source = f"{named[0] if named else ''}…"
        column = min(position - first + 1, len(source))
        return Location(self._name, self._text.count("\n", 0, position) + 1, column, 1, source)


def _unescape(found: re.Match[str]) -> str:
    word = found[0][1:]
    if word == "$":
        return "$$"  # Substitution makes one of it.
    return _ESCAPED[word] if word in _ESCAPED else chr(int(word, 8))
