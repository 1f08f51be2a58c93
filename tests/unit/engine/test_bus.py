"""Who waits is woken, and who listens hears everything or is told that it did not."""

from __future__ import annotations

import asyncio

import pytest

from composer.api.messages import ContainerEvent
from composer.engine.bus import Bus
from composer.errors import EngineError


def event(number: int) -> ContainerEvent:
    return ContainerEvent(f"c{number}", f"shop-web-{number}", "web", "start", 0.0)


def test_who_listens_hears_a_project_until_the_engine_ends() -> None:
    async def scenario() -> list[str]:
        bus = Bus()
        subscription = bus.subscribe("shop")
        bus.publish("shop", event(1))
        bus.publish("other", event(2))
        bus.close()
        return [happened.container async for happened in subscription]

    assert asyncio.run(scenario()) == ["c1"]


def test_who_is_too_slow_is_told_rather_than_missing_something_and_may_go_on() -> None:
    async def scenario() -> list[str]:
        bus = Bus()
        subscription = bus.subscribe("shop")
        for number in range(20_000):
            bus.publish("shop", event(number))
        with pytest.raises(EngineError, match="too slowly"):
            [happened async for happened in subscription]
        bus.publish("shop", event(20_000))
        bus.close()
        return [happened.container async for happened in subscription]

    assert asyncio.run(scenario()) == ["c20000"]


def test_the_end_is_never_missed() -> None:
    async def scenario() -> list[str]:
        bus = Bus()
        subscription = bus.subscribe("shop")
        for number in range(20_000):
            bus.publish("shop", event(number))
        bus.close()
        with pytest.raises(EngineError, match="too slowly"):
            [happened async for happened in subscription]
        return [happened.container async for happened in subscription]

    assert asyncio.run(scenario()) == []


def test_who_has_left_hears_nothing_more() -> None:
    async def scenario() -> None:
        bus = Bus()
        subscription = bus.subscribe("shop")
        subscription.close()
        subscription.close()
        bus.publish("shop", event(1))
        bus.close()

    asyncio.run(scenario())
