"""A whole file to a `Dockerfile`, or to everything that is wrong with it."""

from __future__ import annotations

from composer.build.dockerfile.directives import foreign_frontend, read_directives
from composer.build.dockerfile.instructions import Arg, Dockerfile, From, Instruction, Onbuild, Stage
from composer.build.dockerfile.problems import Problems
from composer.build.dockerfile.read import read
from composer.build.dockerfile.reading import Reading, UnreadableError
from composer.build.dockerfile.source import source_of
from composer.build.dockerfile.statements import statements
from composer.errors import BuildError


def parse(text: str | bytes, filename: str = "Dockerfile") -> Dockerfile:
    """The file that `text` is.

    Raises:
        BuildError: with every problem of the file, in file order.
    """
    problems = Problems()
    source = source_of(text, filename, problems)
    directives, first = read_directives(source, problems)
    global_args: list[Arg] = []
    stages: list[tuple[From, list[Instruction]]] = []
    empty: list[int] = []
    lost = False
    for statement in statements(source, first, directives.escape, problems):
        if problems.is_full:
            break
        if statement.has_empty_line:
            empty.append(statement.joined_end)
        try:
            instruction = read(Reading(statement, directives.escape, problems))
        except UnreadableError:
            lost = lost or statement.name == "FROM"
            continue
        if isinstance(instruction, From):
            stages.append((instruction, []))
        elif stages:
            stages[-1][1].append(instruction)
        elif isinstance(instruction, Arg):
            global_args.append(instruction)
        elif not lost:
            lost = True
            place = statement.keyword_place
            hint = "only `ARG` may stand before the first `FROM`"
            problems.add(f"no build stage for `{instruction.name}`", place, hint=hint)
    if not stages and not problems.diagnostics:
        what = "no stage to build" if global_args else "no instructions"
        problems.add(f"a file with {what}", source.location(1), hint="begin with `FROM image`")
    if problems.diagnostics:
        raise BuildError(
            sorted(problems.diagnostics, key=lambda problem: problem.location.line if problem.location else 0)
        )
    return Dockerfile(
        source,
        directives,
        tuple(global_args),
        tuple(Stage(index, base, tuple(body)) for index, (base, body) in enumerate(stages)),
        foreign_frontend(source, directives),
        tuple(empty),
    )


def parse_trigger(expression: str, image: str) -> Instruction:
    """The instruction that an image's config holds for `ONBUILD`.

    Raises:
        BuildError: it is none, or one that cannot be a trigger.
    """
    dockerfile = parse(f"FROM scratch\nONBUILD {expression}", f"ONBUILD of {image}")
    triggers = [each.instruction for each in dockerfile.stages[0].instructions if isinstance(each, Onbuild)]
    return triggers[0]
