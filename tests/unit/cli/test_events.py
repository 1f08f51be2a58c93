import io
import itertools
import json

import pytest

from composer.api.messages import Event
from composer.cli.render.events import JsonProgress, PlainProgress, Progress, QuietProgress, choose_progress
from composer.cli.render.live import LiveProgress
from composer.cli.render.terminal import Screen
from composer.cli.render.unfinished import Unfinished
from composer.errors import UsageError

EVENTS = [
    Event("network", "shop_default", "created", seconds=0.1),
    Event("container", "shop-db-1", "starting", service="db"),
    Event("container", "shop-web-1", "waiting", detail="db", service="web"),
    Event("container", "shop-db-1", "healthy", seconds=1.2, service="db"),
]


class Terminal(io.StringIO):
    """A stream that looks like a terminal, and knows what would be on its screen."""

    def isatty(self) -> bool:
        return True

    def lines(self) -> list[str]:
        screen: list[str] = []
        for part in self.getvalue().split("\x1b[J"):
            text, _, up = part.rpartition("\x1b[") if part.endswith("A\r") else (part, "", "")
            screen += text.splitlines()
            if up:
                del screen[-int(up.removesuffix("A\r")) :]
        return screen


def live(step: float = 1.0) -> tuple[Terminal, LiveProgress]:
    """A live block on a terminal whose clock goes on by `step` with every look."""
    out, clock = Terminal(), itertools.count(0.0, step)
    return out, LiveProgress(Screen(out, tty=True, colour=False), lambda: next(clock))


def feed(progress: Progress, events: list[Event]) -> None:
    for event in events:
        progress.event(event)


def test_plain_progress_is_a_line_an_event_as_docker_compose_writes_it() -> None:
    out = io.StringIO()
    feed(PlainProgress(Screen(out, tty=False, colour=False)), EVENTS)

    assert out.getvalue() == (
        " Network shop_default  Created\n"
        " Container shop-db-1  Starting\n"
        " Container shop-web-1  Waiting for db\n"
        " Container shop-db-1  Healthy\n"
    )


def test_plain_progress_says_after_a_while_what_it_waits_for() -> None:
    out = io.StringIO()
    progress = PlainProgress(Screen(out, tty=False, colour=False))
    feed(progress, EVENTS[:3])
    progress.tick()
    silent = out.getvalue()
    progress.PATIENCE = 0.0
    progress.tick()

    assert out.getvalue().removeprefix(silent) == (
        " Container shop-db-1  Starting (0s)\n Container shop-web-1  Waiting for db (0s)\n"
    )


def test_a_recreated_container_says_why() -> None:
    out = io.StringIO()
    event = Event("container", "shop-web-1", "recreating", cause="image: nginx:1 → nginx:2 (compose.yaml:3)")
    feed(PlainProgress(Screen(out, tty=False, colour=False)), [event])

    assert out.getvalue() == " Container shop-web-1  Recreating (image: nginx:1 → nginx:2 (compose.yaml:3))\n"


def test_the_words_of_the_first_error_are_left_to_the_end_of_the_command() -> None:
    out = io.StringIO()
    first = Event("container", "shop-web-1", "error", detail="cannot start", hint="start it otherwise")
    second = Event("container", "shop-db-1", "error", detail="cannot start either", hint="nor does this one")
    progress = PlainProgress(Screen(out, tty=False, colour=False))
    feed(progress, [first, second])
    progress.finish()
    feed(progress, [first])

    assert out.getvalue() == (
        " Container shop-web-1  Error\n Container shop-db-1  Error cannot start either\n   hint: nor does this one\n"
        " Container shop-web-1  Error\n"
    )


def test_what_concerns_the_whole_project_has_no_line_in_the_block() -> None:
    out = Terminal()
    waiting = Event("project", "shop", "waiting", detail="another command on this project")
    progress = LiveProgress(Screen(out, tty=True, colour=False))
    feed(progress, [EVENTS[1], waiting, Event("project", "", "warning", detail="careful")])

    assert out.lines()[:3] == [
        " Project shop  Waiting for another command on this project",
        "warning: careful",
        "[+] Running 0/1",
    ]


def test_json_progress_is_an_object_an_event() -> None:
    out = io.StringIO()
    feed(JsonProgress(Screen(out, tty=False, colour=False)), EVENTS)

    records = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [(record["id"], record["status"], record["text"]) for record in records] == [
        ("Network shop_default", "Done", "Created"),
        ("Container shop-db-1", "Working", "Starting"),
        ("Container shop-web-1", "Working", "Waiting"),
        ("Container shop-db-1", "Done", "Healthy"),
    ]
    assert records[2]["details"] == "db"


PULL = [
    Event("image", "redis:7", "pulling"),
    Event("layer", "0123456789ab", "waiting", parent="redis:7", total=3_000_000),
    Event("layer", "0123456789ab", "downloading", parent="redis:7", current=1_000_000, total=3_000_000),
    Event("image", "redis:7", "pulling", current=1_000_000, total=3_000_000),
]


def test_what_is_broken_off_ends_with_a_line_of_its_own_and_its_layers_with_none() -> None:
    out, progress = live()
    unfinished = Unfinished()
    pulled = Event("image", "nginx:1", "pulled", seconds=2)
    for event in (Event("image", "nginx:1", "pulling"), pulled, *PULL):
        unfinished.take(event)
        progress.event(event)
    unfinished.break_off(progress)
    progress.finish()

    (_, *shown) = (" ".join(line.split()[:-1]) for line in out.lines())
    assert shown == ["✔ Image nginx:1 Pulled", "✘ Image redis:7 Interrupted"]


def test_plain_progress_tells_of_a_pull_in_two_lines_and_how_far_it_is_after_a_while() -> None:
    out = io.StringIO()
    progress = PlainProgress(Screen(out, tty=False, colour=False))
    progress.PATIENCE = 0.0
    feed(progress, PULL)
    progress.tick()
    progress.event(Event("image", "redis:7", "pulled", seconds=2))

    assert out.getvalue() == (
        " Image redis:7  Pulling\n Image redis:7  Pulling 1MB / 3MB (0s)\n Image redis:7  Pulled\n"
    )


def test_the_live_block_shows_layers_below_their_image_and_how_fast_they_come() -> None:
    out, progress = live()
    feed(progress, PULL)

    head, image, layer = out.lines()
    assert head.startswith("[+] Running 0/2")
    assert "Image redis:7" in image
    assert "Pulling 1MB / 3MB" in image
    assert "/s" in image
    assert layer.index("Layer 0123456789ab") == image.index("Image redis:7") + 2
    assert "Downloading 1MB / 3MB" in layer


def test_json_progress_measures_as_docker_compose_does() -> None:
    out = io.StringIO()
    feed(JsonProgress(Screen(out, tty=False, colour=False)), PULL[2:3])

    record = json.loads(out.getvalue())
    assert (record["id"], record["parent_id"], record["status"]) == ("Layer 0123456789ab", "Image redis:7", "Working")
    assert (record["current"], record["total"], record["percent"]) == (1_000_000, 3_000_000, 33)


def test_quiet_progress_keeps_warnings() -> None:
    out = io.StringIO()
    feed(
        QuietProgress(Screen(out, tty=False, colour=False)), [*EVENTS, Event("container", "x", "warning", detail="odd")]
    )

    assert out.getvalue() == "warning: odd\n"


def test_the_live_block_ends_with_what_to_try_about_a_warning() -> None:
    out, progress = live()
    progress.event(Event("image", "redis:7", "warning", detail="no network", hint="check the network"))
    progress.finish()

    assert out.lines()[-1] == "   hint: check the network"


def test_the_live_block_has_a_line_a_resource_redrawn_in_place() -> None:
    out, progress = live()
    feed(progress, EVENTS)

    lines = out.lines()
    assert lines[0] == "[+] Running 2/3"
    assert [line[1] for line in lines[1:]] == ["✔", "✔", "⠋"]
    assert [line.split()[1:4] for line in lines[1:]] == [
        ["Network", "shop_default", "Created"],
        ["Container", "shop-db-1", "Healthy"],
        ["Container", "shop-web-1", "Waiting"],
    ]
    assert "Waiting for db" in lines[3]
    assert lines[2].endswith("1.2s")


def test_many_events_at_once_are_drawn_once() -> None:
    out, progress = live(step=0.0001)
    feed(progress, [Event("container", f"c-{n}", "starting") for n in range(10)])
    assert len(out.lines()) == 2

    progress.tick()
    assert len(out.lines()) == 11


def test_the_finished_block_stays_and_a_new_one_begins_below() -> None:
    out, progress = live()
    feed(progress, EVENTS[:1])
    progress.finish()
    progress.finish()
    feed(progress, [Event("container", "shop-db-1", "stopping")])

    assert [line.split()[0] for line in out.lines()] == ["[+]", "✔", "[+]", "⠋"]


def test_log_lines_go_above_the_block() -> None:
    out, progress = live()
    feed(progress, EVENTS[:2])
    progress.above(lambda: print("web-1  | hello", file=out))

    assert out.lines()[0] == "web-1  | hello"
    assert out.lines()[1] == "[+] Running 1/2"


def test_a_block_higher_than_the_terminal_shows_what_is_not_done() -> None:
    out, progress = live()
    feed(progress, [Event("container", f"c-{n}", "started" if n % 2 else "starting") for n in range(40)])

    lines = out.lines()
    assert len(lines) <= 23
    assert lines[0] == "[+] Running 20/40"
    assert sum("Starting" in line for line in lines) == 20


def test_a_line_is_never_wider_than_the_terminal() -> None:
    out, progress = live()
    feed(
        progress,
        [Event("container", "n" * 200, "waiting", detail="d" * 200), Event("container", "日本" * 60, "started")],
    )

    assert all(len(line.encode("utf-16-le")) // 2 < 80 for line in out.lines())


def test_names_from_outside_command_no_terminal() -> None:
    out, progress = live()
    feed(progress, [Event("container", "a\x1b[2Jb\nc", "starting")])

    assert "\x1b[2J" not in out.getvalue()
    assert len(out.lines()) == 2


@pytest.mark.parametrize(
    ("mode", "tty", "kind"),
    [
        ("auto", False, PlainProgress),
        ("", True, LiveProgress),
        ("plain", True, PlainProgress),
        ("tty", False, LiveProgress),
        ("json", True, JsonProgress),
        ("quiet", True, QuietProgress),
    ],
)
def test_the_way_is_chosen_by_name_or_by_the_stream(mode: str, tty: bool, kind: type) -> None:
    assert type(choose_progress(mode, Screen(io.StringIO(), tty, tty))) is kind


def test_an_unknown_way_is_refused() -> None:
    with pytest.raises(UsageError, match="`fancy` is not a way to show progress"):
        choose_progress("fancy", Screen(io.StringIO(), True, True))
