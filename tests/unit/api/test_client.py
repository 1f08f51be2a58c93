from collections.abc import Iterator
from pathlib import Path

import pytest

from composer.api.client import Client
from composer.api.messages import DownRequest, Event, Result, ServicesRequest, UpOptions, UpRequest
from composer.api.streams import LogOptions
from composer.errors import EngineError, ImageError
from composer.paths import Paths
from tests.fakes.engine import FakeEngine, Server

PROJECT = {"name": "shop", "services": {"web": {"image": "nginx"}, "db": {"image": "postgres"}}}


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[FakeEngine]:
    with Server(tmp_path / "run" / "engine.sock") as server:
        yield server.engine


@pytest.fixture
def notices() -> list[str]:
    return []


@pytest.fixture
def client(tmp_path: Path, engine: FakeEngine, notices: list[str]) -> Client:
    return Client(Paths(tmp_path / "data", tmp_path / "run"), {}, notices.append)


def up(client: Client, **options: object) -> list[Event | Result]:
    return list(client.up("shop", UpRequest(PROJECT, [], UpOptions(**options))))  # type: ignore[arg-type]


def test_events_come_in_order_and_the_result_last(client: Client) -> None:
    items = up(client)

    assert [(item.name, item.status) for item in items if isinstance(item, Event)][:3] == [
        ("shop_default", "creating"),
        ("shop_default", "created"),
        ("shop-web-1", "creating"),
    ]
    assert items[-1] == Result(changed=2)


def test_a_project_is_brought_up_looked_at_and_taken_down(client: Client) -> None:
    up(client, scale={"web": 2})

    assert [c.name for c in client.containers("shop")] == ["shop-web-1", "shop-web-2", "shop-db-1"]
    assert [p.status for p in client.projects()] == ["running(3)"]
    list(client.act("stop", "shop", ServicesRequest(("web",))))
    assert [c.name for c in client.containers("shop")] == ["shop-db-1"]
    assert client.wait(client.containers("shop", all_containers=True)[0].id) == 143
    list(client.down("shop", DownRequest()))
    assert client.containers("shop", all_containers=True) == []


def test_a_refusal_comes_back_as_the_error_that_it_is(client: Client) -> None:
    with pytest.raises(ImageError, match="no such image: `gone`") as caught:
        client.remove_images(["gone"])

    assert caught.value.hint == "`compose image ls` lists them"


def test_a_request_is_sent_again_when_the_engine_goes_away_under_it(
    client: Client, engine: FakeEngine, notices: list[str]
) -> None:
    engine.die_after = 1

    assert up(client)[-1] == Result(changed=0)
    assert [path for path, _ in engine.requests] == ["/projects/shop/up"] * 2
    assert notices == ["the engine went away; carrying on with a new one"]


def test_an_engine_that_keeps_dying_is_given_up(client: Client, engine: FakeEngine) -> None:
    engine.die_after = 10

    with pytest.raises(EngineError, match="the engine went away"):
        up(client)
    assert len(engine.requests) == 3


def test_an_engine_that_is_of_other_code_however_often_it_is_replaced_is_taken_as_it_is(
    client: Client, engine: FakeEngine
) -> None:
    engine.is_of_other_code = True

    assert up(client)[-1] == Result(changed=2)
    assert [path for path, _ in engine.requests].count("/engine/replace") == 3


def test_a_one_off_is_never_created_twice(client: Client, engine: FakeEngine) -> None:
    engine.die_after = 1
    stream = client._events("/projects/shop/stop", ServicesRequest(), repeatable=False)

    with pytest.raises(EngineError):
        list(stream)


def test_logs_are_followed_until_the_containers_have_ended(client: Client, engine: FakeEngine) -> None:
    up(client)
    stream = client.logs("shop", LogOptions(("web",), follow=True))
    texts = [entry.text for entry in stream.poll()]
    engine.say("shop-web-1", "more")
    engine.end("shop-web-1", 0)
    engine.end("shop-db-1", 0)

    assert [*texts, *(entry.text for entry in stream)] == ["hello from web", "more"]


def test_a_log_that_is_reopened_repeats_nothing_and_misses_nothing(client: Client, engine: FakeEngine) -> None:
    up(client)
    stream = client.logs("shop", LogOptions())
    first = [entry.text for entry in stream]
    engine.say("shop-web-1", "late")
    # Two lines may carry one time; the second must not be taken for the first.
    engine.logs.append(engine.logs[-1])
    stream.reopen(follow=False)

    assert first == ["hello from web", "hello from db"]
    assert [entry.text for entry in stream] == ["late", "late"]


def test_query_carries_only_what_was_asked_for() -> None:
    assert LogOptions().query() == ""
    assert LogOptions(("a", "b"), tail=0, since=1.5, follow=True).query() == (
        "service=a&service=b&tail=0&since=1.5&follow=1"
    )


def test_an_answer_of_another_version_is_told_as_such(client: Client, engine: FakeEngine) -> None:
    up(client)
    name, container = next(iter(engine.containers.items()))
    object.__setattr__(container, "number", "one")
    assert name == "shop-web-1"

    with pytest.raises(EngineError, match=r"not understood: ContainerSummary.number") as caught:
        client.containers("shop")
    assert "compose engine stop" in caught.value.hint
