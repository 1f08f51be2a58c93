from pathlib import Path

import pytest

from composer.cli.attach import DetachKeys
from composer.cli.oneoff import entrypoint_of, labels_of, mount_of, ports_of, variables_of
from composer.cli.options import number_of_lines, point_in_time, scale_of, signal_name, variables
from composer.errors import ProjectError, UsageError


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", None),
        ("1700000000", 1700000000.0),
        ("1700000000.25", 1700000000.25),
        ("42m", 1000.0 - 42 * 60),
        ("1h30m", 1000.0 - 5400),
        ("500ms", 999.5),
        ("2023-11-14T22:13:20Z", 1700000000.0),
        ("2023-11-14T22:13:20+01:00", 1700000000.0 - 3600),
    ],
)
def test_points_in_time_have_many_spellings(value: str, expected: float | None) -> None:
    assert point_in_time(value, "--since", now=1000.0) == expected


@pytest.mark.parametrize("value", ["yesterday", "42", "x42m"][::2])
def test_what_is_no_point_in_time_is_refused(value: str) -> None:
    with pytest.raises(UsageError, match=f"`--since {value}` is not a point in time"):
        point_in_time(value, "--since")


def test_tail_is_a_number_or_all() -> None:
    assert [number_of_lines(value) for value in ("all", "0", "10", "-1")] == [None, 0, 10, None]
    with pytest.raises(UsageError, match="`--tail few`"):
        number_of_lines("few")


def test_scale_is_service_and_number() -> None:
    assert scale_of(["web=3", "db=0"]) == {"web": 3, "db": 0}
    for wrong in ("web", "web=", "=3", "web=-1", "web=many"):
        with pytest.raises(UsageError, match="is not SERVICE=NUMBER"):
            scale_of([wrong])


@pytest.mark.parametrize("value", ["TERM", "SIGTERM", "sigterm", "15"])
def test_a_signal_has_several_names(value: str) -> None:
    assert signal_name(value) == "SIGTERM"


@pytest.mark.parametrize("value", ["TERMINATE", "0", "99"])
def test_what_is_no_signal_is_refused(value: str) -> None:
    with pytest.raises(UsageError, match=f"`{value}` is not a signal"):
        signal_name(value)


def test_a_variable_without_value_is_taken_from_here_or_left_out() -> None:
    assert variables(["A=1", "B", "C", "D="], {"B": "2"}) == ("A=1", "B=2", "D=")
    with pytest.raises(UsageError):
        variables(["=x"], {})


def test_a_one_off_takes_volumes_in_short_form() -> None:
    assert mount_of("/data") == {"type": "volume", "target": "/data"}
    assert mount_of("/tmp:/x:ro") | {"nocopy": False} == {
        "type": "bind", "source": "/tmp", "target": "/x", "read_only": True, "nocopy": False,
    }  # fmt: skip
    assert mount_of("data:/x")["type"] == "volume"
    for wrong in ("a:b:c:d", ":/x", "a:/x:rx"):
        with pytest.raises(UsageError):
            mount_of(wrong)


def test_a_one_off_takes_ports_in_short_form() -> None:
    assert ports_of("127.0.0.1:8080:80/udp") == [
        {"protocol": "udp", "host_ip": "127.0.0.1", "target": 80, "published": "8080"}
    ]
    assert [port["target"] for port in ports_of("3000-3002:4000-4002")] == [4000, 4001, 4002]
    assert ports_of("8000-9000:80") == [{"protocol": "tcp", "target": 80, "published_range": (8000, 9000)}]
    assert ports_of("80") == [{"protocol": "tcp", "target": 80, "published": None}]
    for wrong in ("x", "80/tpc", "1-2:1-3", "1.2.3:80:80", "70000"):
        with pytest.raises(UsageError):
            ports_of(wrong)


def test_an_entrypoint_is_split_into_words_and_may_be_cleared() -> None:
    assert [entrypoint_of(value) for value in (None, "", "sh -c 'a b'")] == [None, (), ("sh", "-c", "a b")]
    with pytest.raises(UsageError):
        entrypoint_of("'")


def test_detach_keys_are_found_across_reads_and_nothing_else_is_lost() -> None:
    keys = DetachKeys()

    assert keys.feed(b"ls\x10") == (b"ls", False)
    assert keys.feed(b"x") == (b"\x10x", False)
    assert keys.feed(b"\x10") == (b"", False)
    assert keys.feed(b"\x11more") == (b"", True)


def test_variables_of_files_come_in_their_order_and_labels_may_have_no_value(tmp_path: Path) -> None:
    (tmp_path / "one.env").write_text('A=1\nB="x y"\n')
    (tmp_path / "two.env").write_text("A=${FROM}\n")

    files = [str(tmp_path / "one.env"), str(tmp_path / "two.env")]
    assert variables_of(files, {"FROM": "2"}) == ("A=2", "B=x y")
    assert labels_of(["a=b=c", "d"]) == {"a": "b=c", "d": ""}
    with pytest.raises(ProjectError, match="there is no such file"):
        variables_of([str(tmp_path / "three.env")], {})
