from __future__ import annotations

from composer.api.messages import Event
from composer.engine.quiet import untold
from composer.engine.transfers import Telling
from composer.oci.digest import Digest
from composer.registry.progress import LayerProgress, Phase
from tests.fakes.clock import FakeClock

A, B = Digest.of(b"a"), Digest.of(b"b")


def test_layers_are_told_by_phase_and_bytes_now_and_then() -> None:
    told: list[Event] = []
    clock = FakeClock()
    telling = Telling("redis:7", "pulling", clock, told.append)

    telling.report(LayerProgress(A, Phase.WAITING, 0, 100))
    telling.report(LayerProgress(B, Phase.PRESENT, 50, 50))
    telling.report(LayerProgress(A, Phase.DOWNLOADING, 1, 100))
    before = len(told)
    telling.report(LayerProgress(A, Phase.DOWNLOADING, 2, 100))
    assert len(told) == before

    clock.advance(1)
    telling.report(LayerProgress(A, Phase.DOWNLOADING, 40, 100))

    layer, whole = told[before:]
    assert (layer.resource, layer.name, layer.parent) == ("layer", A.short, "redis:7")
    assert (layer.status, layer.current, layer.total) == ("downloading", 40, 100)
    assert (whole.resource, whole.name, whole.status) == ("image", "redis:7", "pulling")
    assert (whole.current, whole.total) == (90, 150)


def test_what_is_quiet_tells_only_beginnings_and_ends() -> None:
    told: list[Event] = []
    emit = untold(told.append)
    begun, measured = Event("image", "redis:7", "pulling"), Event("image", "redis:7", "pulling", current=0, total=9)

    emit(begun)
    emit(measured)

    assert told == [begun]
