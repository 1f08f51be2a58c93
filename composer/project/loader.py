"""Loading a project, from the command line's options to the model.

    discover   which files, which directory, which variables                       discover, dotenv
    read       each file to a tree with positions                                  source
    merge      interpolated, validated, made canonical, extended, merged           layers and what it names
    check      what must be true of the whole                                      check
    assemble   environments, defaults, full names, the model                       environment, assemble

Problems are gathered and raised together, in file order, before the next phase would stumble over them.
"""

from __future__ import annotations

from collections.abc import Mapping as Dict
from dataclasses import dataclass

from pydantic import ValidationError

from composer.errors import Diagnostic, ProjectError, Severity
from composer.project.assemble import Assembler
from composer.project.check import check
from composer.project.discover import discover, normalise_name, project_name
from composer.project.document import Mapping, Scalar
from composer.project.interpolate import Interpolator, TemplateError, substitute
from composer.project.layers import Layers, Scope, written_name
from composer.project.model import Project
from composer.project.options import LoadOptions
from composer.project.origins import Origins
from composer.project.report import Report
from composer.project.trace import Trace
from composer.project.variables import Variable


@dataclass(frozen=True, slots=True)
class Loaded:
    """What loading gives."""

    project: Project
    warnings: tuple[Diagnostic, ...]
    """What is worth telling, in file order."""
    obstacles: tuple[Diagnostic, ...]
    """What cannot be brought up here although it can be read; whoever would run the project is refused with them."""
    origins: Origins
    tree: Mapping
    """What the files say, merged: canonical nodes with their places."""
    variables: tuple[Variable, ...]
    """The variables that the files name, by name."""
    trace: Trace
    """Everything that was said, what lost included."""
    variable_files: Dict[str, str]
    """The file that gave a variable its value, for those that the environment did not."""
    overruled: Dict[str, str]
    """The file that sets a variable in vain."""


def load_project(options: LoadOptions, environment: Dict[str, str]) -> Loaded:
    """The project that `options` and `environment` name.

    Raises:
        ProjectError: something is wrong with it; carries every problem found.
    """
    report = Report(raw=not options.interpolate)
    found = discover(options, environment)
    report.take(found.warnings, 0)
    layers = Layers(options, report)
    sources = [layers.read(path) for path in found.files]
    report.raise_errors()
    written = written_name(sources)
    name = project_name(options, found, _name(written, found.variables), written.mark.location if written else None)
    if (
        written is not None
        and isinstance(written.value, str)
        and normalise_name(written.value) == name != written.value
    ):
        report.warn(f"the project `{written.value}` is called `{name}`", written.mark, hint=f"write `name: {name}`")
    variables = {**found.variables, "COMPOSE_PROJECT_NAME": name}
    interpolator = Interpolator(variables, report, raw=not options.interpolate)
    tree = layers.merge(sources, Scope(found.directory, found.directory, variables, interpolator))
    if tree is None:
        report.raise_errors()
        empty = [
            Diagnostic(
                Severity.ERROR, "the Compose file is empty", hint="declare at least one service under `services:`"
            )
        ]
        raise ProjectError(empty)
    version = tree.entries.get("version")
    if version is not None:
        report.warn("`version` has no meaning any more", tree.key("version"), hint="remove it")
    if options.check and options.interpolate:
        check(tree, report)
    files = tuple("-" if path is None else str(path) for path in found.files)
    layers.trace.templates = interpolator.templates
    named = tuple(sorted(interpolator.named, key=lambda variable: variable.name))
    if not options.interpolate:
        # A variable where a number belongs fits in no model: there is only the tree.
        report.raise_errors()
        bare = Project(name=name, working_dir=str(found.directory), compose_files=files)
        return Loaded(
            bare, report.warnings, (), Origins.of(tree), tree, named, layers.trace, found.files_of, found.overruled
        )
    # Where no profile is asked for, a service takes part whose profile a variable left empty.
    profiles = options.profiles or _listed(variables.get("COMPOSE_PROFILES", "")) or ("",)
    assembler = Assembler(name, interpolator.lookup, found.directory, options.directory, report)
    try:
        project = assembler.project(tree, files, frozenset(profiles), interpolator.used)
    except ValidationError as error:
        report.raise_errors()  # The model stumbles over what was reported already.
        raise _unforeseen(error) from error
    report.raise_errors()
    assert project is not None, "the assembler gives up only with a report"
    return Loaded(
        project,
        report.warnings,
        report.obstacles,
        Origins.of(tree),
        tree,
        named,
        layers.trace,
        found.files_of,
        found.overruled,
    )


def _name(written: Scalar | None, variables: Dict[str, str]) -> str | None:
    if written is None or not isinstance(written.value, str):
        return None
    try:
        return substitute(written.value, variables.get)
    except TemplateError:
        return None  # Reported when the file as a whole is interpolated.


def _listed(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _unforeseen(error: ValidationError) -> ProjectError:
    """What the model refuses although no phase before it did."""
    return ProjectError(
        [
            Diagnostic(Severity.ERROR, f"{error.title}.{'.'.join(map(str, problem['loc']))}: {problem['msg'].lower()}")
            for problem in error.errors()
        ]
    )
