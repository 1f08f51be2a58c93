import json

import pytest

from composer.api.codec import decode, encode
from composer.api.messages import ContainerSummary, Event, Publisher, Result, UpOptions, UpRequest

CONTAINER = ContainerSummary(
    id="ab", name="shop-web-1", project="shop", service="web", number=1, image="nginx", command=("nginx", "-g"),
    state="running", health="", exit_code=0, pid=7, created=1.5, started=2.0, finished=0.0,
    publishers=(Publisher("0.0.0.0", 80, 8080, "tcp"),), networks=("shop_default",), labels={"a": "b"},
)  # fmt: skip


@pytest.mark.parametrize(
    "message",
    [
        CONTAINER,
        UpRequest(
            {"name": "shop", "services": {}}, [1, {"x": None}], UpOptions(("web",), scale={"web": 3}, timeout=2.5)
        ),
        Event("container", "shop-web-1", "waiting", detail="db", seconds=0.25),
        Result(ok=False, error={"kind": "EngineError", "message": "no"}),
    ],
)
def test_a_message_survives_the_journey_over_json(message: object) -> None:
    assert decode(type(message), json.loads(json.dumps(encode(message)))) == message


def test_unknown_fields_are_ignored_and_missing_ones_take_their_defaults() -> None:
    assert decode(Event, {"resource": "network", "name": "n", "status": "created", "invented": 1}) == Event(
        "network", "n", "created"
    )


def test_a_whole_number_is_a_fine_float() -> None:
    event = decode(Event, {"resource": "r", "name": "n", "status": "s", "seconds": 2})

    assert isinstance(event.seconds, float)


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        ([], "Event: list instead of an object"),
        ({"resource": "r"}, "Event: no name, status"),
        ({"resource": "r", "name": 3, "status": "s"}, "Event.name: int instead of str"),
        ({"resource": "r", "name": None, "status": "s"}, "Event.name: NoneType instead of str"),
        ({"resource": "r", "name": "n", "status": "s", "seconds": True}, "Event.seconds: bool instead of float"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(data: object, complaint: str) -> None:
    with pytest.raises(ValueError, match="^" + complaint):
        decode(Event, data)


def test_a_nested_mistake_names_the_whole_way() -> None:
    data = encode(CONTAINER)
    data["publishers"][0]["target_port"] = "80"

    with pytest.raises(ValueError, match=r"ContainerSummary.publishers\[0\].target_port: str instead of int"):
        decode(ContainerSummary, data)
