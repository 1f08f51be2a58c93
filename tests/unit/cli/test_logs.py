import io

from composer.api.messages import LogEntry
from composer.cli.render.logs import LogPrinter
from composer.cli.render.terminal import Screen


def printer(*, tty: bool = False, colour: bool = False, **options: bool) -> LogPrinter:
    return LogPrinter(Screen(io.StringIO(), tty, colour), "shop", **options)


def entry(container: str, text: str, stream: str = "stdout", time: float = 0.0) -> LogEntry:
    return LogEntry(container, container.split("-")[1], 1, stream, time, text)


def test_prefixes_are_names_without_the_project_and_aligned() -> None:
    logs = printer()
    logs.expect(["shop-web-1", "shop-database-1", "own-name"])

    assert logs.render([entry("shop-web-1", "a"), entry("shop-database-1", "b"), entry("own-name", "c")]) == (
        "web-1       | a\n"
        "database-1  | b\n"
        "own-name    | c\n"
    )  # fmt: skip


def test_each_container_keeps_its_colour_and_neighbours_differ() -> None:
    logs = printer(tty=True, colour=True)
    first, second, again = logs.render(
        [entry("shop-web-1", "a"), entry("shop-db-1", "b"), entry("shop-web-1", "c")]
    ).splitlines()

    assert first.split("m")[0] == again.split("m")[0] != second.split("m")[0]


def test_a_terminals_lines_lose_their_carriage_return_and_stay_lines() -> None:
    lines = [entry("shop-web-1", "hello\r", "tty"), entry("shop-web-1", "world\r", "tty")]

    assert printer().render(lines) == "web-1  | hello\nweb-1  | world\n"


def test_control_characters_reach_a_terminal_only() -> None:
    coloured = entry("shop-web-1", "\x1b[31mred\x1b[0m\tx\x07")

    assert printer().render([coloured]) == "web-1  | red\tx\n"
    assert printer(tty=True).render([coloured]) == "web-1  | \x1b[31mred\x1b[0m\tx\x07\x1b[0m\n"


def test_a_gap_is_told() -> None:
    assert printer().render([entry("shop-web-1", "", "gap")]) == "web-1  | [output is missing here]\n"


def test_times_are_in_utc_with_nanoseconds() -> None:
    logs = printer(prefix=False, timestamps=True)

    assert logs.render([entry("shop-web-1", "x", time=1700000000.5)]) == "2023-11-14T22:13:20.500000000Z x\n"


def test_an_empty_line_stays_one() -> None:
    assert printer(prefix=False).render([entry("shop-web-1", ""), entry("shop-web-1", "a\n")]) == "\na\n"


def test_an_end_is_told_with_its_code() -> None:
    assert printer().exited("shop-web-1", 137) == "web-1 exited with code 137\n"


def test_a_container_that_is_replaced_keeps_its_name() -> None:
    assert printer().exited("0123456789ab_shop-web-1", 143) == "web-1 exited with code 143\n"
