from composer.build.dockerfile.problems import Problems
from composer.build.dockerfile.source import Span, source_of
from composer.build.failure import RunFailed, Tail, explained
from composer.build.files import FilesError, Reason
from composer.build.operations import CopyOperation, RunOperation, Vertex

TEXT = source_of("FROM base\n  RUN make \\\n    all\nCOPY missing /\n", "Dockerfile", Problems())


def test_a_failed_command_shows_its_line_and_its_last_words() -> None:
    tail = Tail()
    for number in range(100):
        tail.feed(f"line {number}\r\n")
    tail.feed("the last, without an end")
    vertex = Vertex(1, "[2/3] RUN make all", RunOperation(("make",), ()), 0, Span(2, 3))

    (problem,) = explained(RunFailed(2, tail), vertex, TEXT).diagnostics

    assert problem.message == "`[2/3] RUN make all` exited with 2"
    assert (str(problem.location), problem.location and problem.location.source) == (
        "Dockerfile:2:3",
        "  RUN make \\\n    all",
    )
    assert problem.location is not None
    assert problem.location.lines == 2
    assert problem.hint.splitlines()[0] == "its last lines:"
    assert problem.hint.splitlines()[-2:] == ["  line 99", "  the last, without an end"]
    assert len(problem.hint.splitlines()) == 21


def test_a_full_disk_is_recognised_by_what_a_command_says() -> None:
    tail = Tail()
    tail.feed("dd: error writing '/big': No space left on device\n")

    (problem,) = explained(
        RunFailed(1, tail), Vertex(1, "RUN", RunOperation(("dd",), ()), 0, Span(2, 3)), TEXT
    ).diagnostics

    assert "`compose system prune` frees some of it" in problem.hint.splitlines()[-1]


def test_files_that_cannot_be_copied_are_told_with_the_instruction() -> None:
    vertex = Vertex(2, "[3/3] COPY missing /", CopyOperation((), "/"), 1, Span(4, 4))

    error = explained(FilesError(Reason.MISSING, "`missing`: is not there", hint="make it"), vertex, TEXT)

    (problem,) = error.diagnostics
    assert (problem.message, problem.hint) == ("COPY `missing`: is not there", "make it")
    again = explained(error, vertex, TEXT)
    assert again is not error
    assert again.diagnostics == error.diagnostics
