"""The heredocs that a line announces: `<<EOF`, `<<-EOF`, `3<<"EOF"`.

Which words count is decided as BuildKit does it: the whole line is split as a shell would, and where that fails (a lone
apostrophe) it announces none. <https://docs.docker.com/reference/dockerfile/#here-documents>
"""

from __future__ import annotations

import re

from composer.build.dockerfile.expand import Expanded, ExpansionError, expand
from composer.build.dockerfile.instructions import Heredoc

_ANNOUNCED = re.compile(r"([0-9]*)<<(-?)([^<]+)")


def announced(line: str) -> tuple[Heredoc, ...]:
    """The heredocs of a line, their content not yet read. Raises ValueError for a name whose quotes do not close."""
    if "<<" not in line:
        return ()
    try:
        words = expand(line, {}, raw_quotes=True, raw_escapes=True, keep_undefined=True).words
    except ExpansionError:
        return ()
    return tuple(heredoc for word in words if (heredoc := heredoc_of(word)))


def heredoc_of(word: str) -> Heredoc | None:
    """The heredoc that a word is, without content, or None. Raises ValueError for a name whose quotes do not close."""
    match = _ANNOUNCED.fullmatch(word)
    if match is None:
        return None
    descriptor, dash, rest = match.groups()
    names = _split(rest, raw_quotes=False)
    if len(names.words) != 1:
        return None
    name, raw = names.words[0], _split(rest, raw_quotes=True).words[0]
    quoted = _quotes(name) != _quotes(raw)
    return Heredoc(name, "", not quoted, dash == "-", int(descriptor[:6] or 0))


def is_heredoc(word: str) -> bool:
    """Whether a word announces a heredoc."""
    try:
        return heredoc_of(word) is not None
    except ValueError:
        return False


def _split(text: str, *, raw_quotes: bool) -> Expanded:
    return expand(text, {}, raw_quotes=raw_quotes, keep_undefined=True)


def _quotes(text: str) -> int:
    return text.count("'") + text.count('"')
