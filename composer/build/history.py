"""What BuildKit writes into an image's history for each instruction, down to Go's ways of printing values.

`frontend/dockerfile/dockerfile2llb/convert.go` of BuildKit 0.13, which is in Docker 26; the comment is `buildkit.dockerfile.v0`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from composer.build.dockerfile.instructions import Pair
from composer.oci.config import Healthcheck

COMMENT = "buildkit.dockerfile.v0"
_SUFFIX = " # buildkit"


def run(argv: Sequence[str], args: Iterable[tuple[str, str]]) -> str:
    """`RUN |1 VERSION=3 /bin/sh -c make # buildkit`; `args` are the ARGs declared so far with their values."""
    values = [f"{name}={value}" for name, value in args]
    declared = [f"|{len(values)}", *values] if values else []
    return f"RUN {' '.join([*declared, *argv])}{_SUFFIX}"


def copy(word: str, words: Sequence[str], *, parents: bool = False, owner: str = "", mode: str = "") -> str:
    """`COPY --chown=app src /dst # buildkit`; `words` are sources, heredocs as `<<NAME`, and the destination."""
    flags = ["--parents"] if parents else []
    flags += [f"--chown={owner}"] if owner else []
    flags += [f"--chmod={mode}"] if mode else []
    return f"{' '.join([word, *flags, *words])}{_SUFFIX}"


def pairs(word: str, values: Iterable[Pair]) -> str:
    """`ENV a=b c=d`, and so LABEL."""
    return " ".join([word, *(f"{pair.key}={pair.value}" for pair in values)])


def arg(values: Iterable[tuple[str, str | None]]) -> str:
    """`ARG a b=c`."""
    return " ".join(["ARG", *(name if value is None else f"{name}={value}" for name, value in values)])


def quoted_list(word: str, values: Sequence[str]) -> str:
    """`CMD ["sh" "-c" "…"]`: Go's `%q` of a list."""
    return f"{word} [{' '.join(map(quoted, values))}]"


def plain_list(word: str, values: Sequence[str]) -> str:
    """`VOLUME [/data /more]`: Go's `%v` of a list."""
    return f"{word} [{' '.join(values)}]"


def expose(ports: Iterable[str]) -> str:
    """`EXPOSE map[443/tcp:{} 80/tcp:{}]`."""
    return f"EXPOSE map[{' '.join(f'{port}:{{}}' for port in sorted(ports))}]"


def healthcheck(check: Healthcheck) -> str:
    """`HEALTHCHECK &{["CMD-SHELL" "true"] "30s" "0s" "0s" "0s" '\\x03'}`: Go's `%q` of the structure."""
    times = (check.interval_seconds, check.timeout_seconds, check.start_period_seconds, check.start_interval_seconds)
    shown = " ".join(f'"{duration(seconds)}"' for seconds in times)
    return f"HEALTHCHECK &{{[{' '.join(map(quoted, check.test))}] {shown} {_rune(check.retries)}}}"


def quoted(text: str) -> str:
    """A string as Go's `%q` prints it."""
    return "".join(['"', *(_escaped(character) for character in text), '"'])


def duration(seconds: float) -> str:
    """A duration as Go prints it: `1m30s`, `1.5s`, `100ms`."""
    nanoseconds = round(seconds * 1_000_000_000)
    if not nanoseconds:
        return "0s"
    for unit, size in (("ns", 1), ("µs", 1_000), ("ms", 1_000_000)):
        if nanoseconds < size * 1000 and nanoseconds < 1_000_000_000:
            return f"{_decimal(nanoseconds, size)}{unit}"
    minutes, rest = divmod(nanoseconds, 60_000_000_000)
    hours, minutes = divmod(minutes, 60)
    head = f"{hours}h{minutes}m" if hours else f"{minutes}m" if minutes else ""
    return f"{head}{_decimal(rest, 1_000_000_000)}s"


def _decimal(value: int, size: int) -> str:
    whole, fraction = divmod(value, size)
    digits = f"{fraction:0{len(str(size)) - 1}d}".rstrip("0") if fraction else ""
    return f"{whole}.{digits}" if digits else str(whole)


_SIMPLE = {
    "\a": "\\a",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\v": "\\v",
    '"': '\\"',
    "\\": "\\\\",
}


def _escaped(character: str) -> str:
    if character in _SIMPLE:
        return _SIMPLE[character]
    if character.isprintable():
        return character
    code = ord(character)
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _rune(number: int) -> str:
    """An integer as Go's `%q` prints it: as a character."""
    character = chr(number) if number <= 0x10FFFF and not 0xD800 <= number < 0xE000 else "\ufffd"
    return "'\\''" if character == "'" else "'" + ('"' if character == '"' else _escaped(character)) + "'"
