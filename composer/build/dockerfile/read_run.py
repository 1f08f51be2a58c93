"""RUN."""

from __future__ import annotations

from composer.build.dockerfile.device import read_device
from composer.build.dockerfile.instructions import Device, MountFlag, Run
from composer.build.dockerfile.mount import MountError, field_of, read_mount
from composer.build.dockerfile.problems import did_you_mean, listing
from composer.build.dockerfile.reading import Kind, Reading
from composer.build.dockerfile.values import UnfitError

RUN_FLAGS = {"mount": Kind.TEXTS, "network": Kind.TEXT, "security": Kind.TEXT, "device": Kind.TEXTS}
_NETWORKS = ("default", "none", "host")
_SECURITIES = ("sandbox", "insecure")


def read_run(reading: Reading) -> Run:
    """The RUN. Raises UnreadableError."""
    flags = reading.flags(RUN_FLAGS)
    return Run(
        **reading.common,
        command=reading.command(),
        mounts=_mounts(reading),
        network=_choice(reading, "network", flags.get("network", ""), _NETWORKS),
        security=_choice(reading, "security", flags.get("security", ""), _SECURITIES),
        devices=_devices(reading),
    )


def _choice(reading: Reading, name: str, value: str, allowed: tuple[str, ...]) -> str:
    if value and value not in allowed:
        hint = did_you_mean(value, allowed) or f"write {listing(allowed)}"
        reading.wrong_flag(reading.flag(name), f"`--{name}` does not know `{value}`", hint=hint)
    return value or allowed[0]


def _devices(reading: Reading) -> tuple[Device, ...]:
    devices: list[Device] = []
    for flag in reading.statement.flags:
        if flag.name == "device" and flag.value is not None:
            try:
                devices.append(read_device(flag.value))
            except UnfitError as error:
                reading.wrong_flag(flag, str(error), hint=error.hint)
    return tuple(devices)


def _mounts(reading: Reading) -> tuple[MountFlag, ...]:
    mounts = []
    for flag in reading.statement.flags:
        if flag.name != "mount" or flag.value is None:
            continue
        source_stage = ""
        try:
            source_stage = field_of(flag.value, "from")
            if "$" in source_stage[:-1]:
                hint = "name a stage: `FROM …$NAME AS alias`, then `from=alias`"
                raise MountError("`from` doesn't support variable expansion", hint)
            if "$" not in flag.value:
                read_mount(flag.value)
        except MountError as error:
            reading.wrong_flag(flag, str(error), hint=error.hint)
        mounts.append(MountFlag(flag.value, source_stage))
    return tuple(mounts)
