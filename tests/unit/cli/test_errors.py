import io
from pathlib import Path

from composer.cli.render.errors import REPORT_AT, show_bug, show_diagnostics, show_error, show_warning
from composer.cli.render.terminal import Screen
from composer.errors import Diagnostic, HostError, Location, ProjectError, Severity

PORT = Diagnostic(
    Severity.ERROR,
    "services.web.ports[1]: `8080:80/tpc` has an unknown protocol",
    Location("compose.yaml", 14, 19, 3, '       - "8080:80/tpc"'),
    "expected `tcp` or `udp`",
    "did you mean `tcp`?",
)


def shown(*diagnostics: Diagnostic, colour: bool = False) -> str:
    screen = Screen(io.StringIO(), tty=colour, colour=colour)
    show_diagnostics(screen, diagnostics)
    return screen.stream.getvalue()  # type: ignore[attr-defined, no-any-return]


def test_an_error_shows_where_what_and_what_to_try() -> None:
    assert shown(PORT) == (
        "error: services.web.ports[1]: `8080:80/tpc` has an unknown protocol\n"
        "  ┌ compose.yaml:14:19\n"
        "  │\n"
        '14│        - "8080:80/tpc"\n'
        "  │                   ^^^ expected `tcp` or `udp`\n"
        "\n"
        "hint: did you mean `tcp`?\n"
    )


def test_an_instruction_of_several_lines_is_shown_as_far_as_anybody_reads() -> None:
    lines = [f"RUN {number} \\" for number in range(20)]
    place = Location("Dockerfile", 9, 1, 5, "\n".join(lines), lines=20)

    text = shown(Diagnostic(Severity.ERROR, "it failed", place, hint="look"))

    assert text.startswith("error: it failed\n  ┌ Dockerfile:9:1\n  │\n 9│ RUN 0 \\\n10│ RUN 1 \\\n")
    assert text.endswith("20│ RUN 11 \\\n  │ …\n\nhint: look\n")


def test_an_error_without_a_place_is_two_lines() -> None:
    screen = Screen(io.StringIO(), tty=False, colour=False)
    show_error(screen, HostError("cannot start `db`: no such device", hint="load the module"))

    assert screen.stream.getvalue() == "error: cannot start `db`: no such device\nhint: load the module\n"  # type: ignore[attr-defined]


def test_all_problems_are_shown_apart_from_each_other() -> None:
    screen = Screen(io.StringIO(), tty=False, colour=False)
    show_error(screen, ProjectError([PORT, Diagnostic(Severity.WARNING, "`version` means nothing")]))

    text = screen.stream.getvalue()  # type: ignore[attr-defined]
    assert text.endswith("hint: did you mean `tcp`?\n\nwarning: `version` means nothing\n")


def test_plain_warnings_stand_close_together() -> None:
    one, two = Diagnostic(Severity.WARNING, "one"), Diagnostic(Severity.WARNING, "two")

    assert shown(one, two) == "warning: one\nwarning: two\n"


def test_the_caret_stands_under_what_it_means_whatever_is_before_it() -> None:
    place = Location("f", 3, 6, 2, "\t日本: xy")

    lines = shown(Diagnostic(Severity.ERROR, "m", place)).splitlines()
    assert lines[3:] == [" 3│     日本: xy", "  │ " + " " * (4 + 2 * 2 + 2) + "^^"]


def test_a_place_without_its_line_is_named_only() -> None:
    assert shown(Diagnostic(Severity.ERROR, "m", Location("f", 1000, 1))) == "error: m\n    ┌ f:1000:1\n"


def test_a_file_below_the_working_directory_is_named_from_there() -> None:
    here = str(Path.cwd() / "sub" / "compose.yaml")

    assert "┌ sub/compose.yaml:1:1\n" in shown(Diagnostic(Severity.ERROR, "m", Location(here, 1, 1)))


def test_nothing_from_outside_reaches_the_terminal_as_a_command() -> None:
    evil = Diagnostic(
        Severity.ERROR,
        "a\x1b]0;title\x07b\x1b[2Jc\rd\u202e",
        Location("f\x1b[31m", 1, 1, 1, "x\x1b[1my"),
        "l\x07",
        "h\x9b",
    )

    assert not set("\x1b\x07\r\x9b\u202e") & set(shown(evil))


def test_colours_are_for_those_who_can_show_them() -> None:
    assert "\x1b[1;31merror\x1b[0m: " in shown(PORT, colour=True)
    assert "\x1b" not in shown(PORT)


def test_lines_of_a_log_below_a_message_are_kept() -> None:
    assert shown(Diagnostic(Severity.ERROR, "cannot start\n  keeper.log: a\n  keeper.log: b", hint="read")) == (
        "error: cannot start\n  keeper.log: a\n  keeper.log: b\nhint: read\n"
    )


def test_a_bug_is_told_with_its_traceback() -> None:
    screen = Screen(io.StringIO(), tty=False, colour=False)
    try:
        raise RuntimeError("whoops")
    except RuntimeError as error:
        show_bug(screen, error)

    text = screen.stream.getvalue()  # type: ignore[attr-defined]
    assert "RuntimeError: whoops" in text
    assert text.endswith(f"{REPORT_AT}\n")


def test_a_warning_needs_no_place() -> None:
    screen = Screen(io.StringIO(), tty=False, colour=False)
    show_warning(screen, "careful", "do it")

    assert screen.stream.getvalue() == "warning: careful\nhint: do it\n"  # type: ignore[attr-defined]
