from dataclasses import replace

import pytest

from composer.api.messages import ContainerSummary, Publisher
from composer.cli.render.containers import HEADINGS, as_docker, as_row, human_duration, ports
from composer.cli.render.images import human_size, listed_reference, short_id, split_reference
from composer.cli.render.table import table

WEB = ContainerSummary(
    id="0123456789abcdef", name="shop-web-1", project="shop", service="web", number=1, image="nginx:1",
    command=("sh", "-c", "exec nginx -g daemon"), state="running", health="healthy", exit_code=0, pid=42, created=1000.0,
    started=1010.0, finished=0.0,
    publishers=(Publisher("0.0.0.0", 80, 8080, "tcp"), Publisher("::", 80, 8080, "tcp")),
    networks=("shop_default",), labels={"a": "b", "c": "d"}, mounts=("shop_data", "/a/very/long/path/on/the/host"),
)  # fmt: skip


def test_a_table_is_aligned_and_has_nothing_at_its_line_ends() -> None:
    assert table(HEADINGS, [as_row(WEB, now=1070.0)]) == (
        "NAME         IMAGE     COMMAND                  SERVICE   CREATED              STATUS                        PORTS\n"
        'shop-web-1   nginx:1   "sh -c \'exec nginx -…"   web       About a minute ago   Up About a minute (healthy)'
        "   0.0.0.0:8080->80/tcp, [::]:8080->80/tcp\n"
    )


def test_json_has_docker_composes_fields_and_the_pid() -> None:
    data = as_docker(WEB, now=1070.0)

    assert set(data) == {
        "Command", "Created", "CreatedAt", "ExitCode", "Health", "ID", "Image", "Labels", "LocalVolumes", "Mounts", "Name",
        "Names", "Networks", "Pid", "Ports", "Project", "Publishers", "RunningFor", "Service", "Size", "State", "Status",
    }  # fmt: skip
    assert data["Publishers"][0] == {"URL": "0.0.0.0", "TargetPort": 80, "PublishedPort": 8080, "Protocol": "tcp"}
    assert (data["ID"], data["Labels"], data["Pid"]) == ("0123456789ab", "a=b,c=d", 42)
    assert (data["LocalVolumes"], data["Mounts"]) == ("1", "shop_data,/a/very/long/p…")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "Up About a minute (healthy)"),
        ({"health": "starting"}, "Up About a minute (health: starting)"),
        ({"health": ""}, "Up About a minute"),
        ({"state": "exited", "exit_code": 3, "finished": 1065.0}, "Exited (3) 5 seconds ago"),
        ({"state": "restarting", "exit_code": 1, "finished": 1069.0}, "Restarting (1) 1 second ago"),
        ({"state": "created", "error": "its port is taken"}, "Created, did not start: its port is taken"),
    ],
)
def test_the_status_says_how_it_is_and_for_how_long(changes: dict[str, object], expected: str) -> None:
    assert as_row(replace(WEB, **changes), now=1070.0)[5] == expected  # type: ignore[arg-type]


def test_runs_of_ports_are_drawn_together() -> None:
    run = [Publisher("127.0.0.1", 3000 + n, 4000 + n, "tcp") for n in range(3)]

    assert ports([*run, Publisher("0.0.0.0", 53, 5353, "udp"), Publisher("", 9000, 0, "tcp")]) == (
        "9000/tcp, 127.0.0.1:4000-4002->3000-3002/tcp, 0.0.0.0:5353->53/udp"
    )


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.3, "Less than a second"),
        (1.9, "1 second"),
        (59, "59 seconds"),
        (60, "About a minute"),
        (130, "2 minutes"),
        (3600, "About an hour"),
        (47 * 3600, "47 hours"),
        (5 * 86400, "5 days"),
        (20 * 86400, "2 weeks"),
        (90 * 86400, "3 months"),
        (900 * 86400, "2 years"),
    ],
)
def test_durations_are_said_as_docker_says_them(seconds: float, words: str) -> None:
    assert human_duration(seconds) == words


@pytest.mark.parametrize(
    ("reference", "parts"),
    [
        ("docker.io/library/redis:7", ("redis", "7")),
        ("localhost:5000/app", ("localhost:5000/app", "latest")),
        ("ghcr.io/a/b:v1@sha256:ab", ("ghcr.io/a/b", "v1")),
    ],
)
def test_references_are_shown_as_users_write_them(reference: str, parts: tuple[str, str]) -> None:
    assert split_reference(reference) == parts


def test_sizes_and_ids_are_short() -> None:
    assert [human_size(size) for size in (0, 999, 12_345_678, 1.5e9)] == ["0B", "999B", "12.3MB", "1.5GB"]
    assert short_id("sha256:0123456789abcdef") == "0123456789ab"


def test_wide_characters_and_control_characters_keep_columns_straight() -> None:
    assert table(("A", "B"), [("日本", "x"), ("a\x1b[1m\n", "y")]) == "A      B\n日本   x\na      y\n"


@pytest.mark.parametrize(
    ("reference", "listed"),
    [
        ("", ("<none>", "<none>")),
        ("docker.io/library/redis:7", ("redis", "7")),
        ("docker.io/library/redis:7@sha256:" + "0" * 64, ("redis", "<none>")),
    ],
)
def test_a_listing_shows_what_has_no_name_as_docker_does(reference: str, listed: tuple[str, str]) -> None:
    assert listed_reference(reference) == listed
