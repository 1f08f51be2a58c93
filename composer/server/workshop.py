"""What goes to registries and builds images, put together; imported when something is to be pulled, pushed or built."""

from __future__ import annotations

from dataclasses import dataclass

from composer.build.builder import Builder
from composer.engine.building.inputs import Reader
from composer.engine.building.making import Making
from composer.engine.building.runner import Runner
from composer.engine.building.uplink import Uplink
from composer.engine.confinement import Confinement
from composer.engine.rooms import Rooms
from composer.engine.transfers import Transfers
from composer.registry.pull import Puller
from composer.registry.push import Pusher


@dataclass(frozen=True, slots=True)
class Workshop:
    """One for all requests."""

    transfers: Transfers
    builder: Builder
    making: Making


def open_workshop(rooms: Rooms, confinement: Confinement, uplink: Uplink) -> Workshop:
    """The workshop of an engine."""
    puller = Puller(rooms.images, rooms.clock)
    builder = Builder(rooms.paths, rooms.images, puller, Runner(rooms, confinement, uplink), rooms.clock)
    reader = Reader(lambda: builder.contents, rooms.images)
    return Workshop(
        Transfers(rooms.images, puller, Pusher(rooms.images, rooms.clock), rooms.clock),
        builder,
        Making(builder, rooms.images, rooms.store, rooms.clock, reader, uplink.offer),
    )
