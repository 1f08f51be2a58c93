"""Where in a file an instruction, or a word of it, stands."""

from __future__ import annotations

from composer.build.dockerfile.instructions import Instruction
from composer.build.dockerfile.source import Source
from composer.errors import Diagnostic, Location, Severity


def place_of(source: Source, instruction: Instruction, word: str = "") -> Location:
    """The place of the first `word` in the instruction, of its first line if it is nowhere as written."""
    span = instruction.span
    first_line = word.split("\n", 1)[0]
    if first_line:
        for offset, line in enumerate(source.excerpt(span)):
            column = line.find(first_line)
            if column >= 0 and not line.lstrip().startswith("#"):
                return source.location(span.first + offset, column + 1, len(first_line))
    line = next(iter(source.excerpt(span)), "")
    bare = line.strip()
    return source.location(span.first, len(line) - len(line.lstrip()) + 1, len(bare))


def as_written(instruction: Instruction, variable: str) -> str:
    """How the instruction asks for a variable, as far as it is to be found: `${NAME`, `$NAME` or the bare name."""
    ways = (f"${{{variable}", f"${variable}")
    return next((way for way in ways if way in instruction.text), variable)


def problem_at(source: Source, instruction: Instruction, message: str, word: str = "", hint: str = "") -> Diagnostic:
    """An error about an instruction, with its place."""
    return Diagnostic(Severity.ERROR, message, place_of(source, instruction, word), hint=hint)
