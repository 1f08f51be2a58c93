"""`RUN --device=vendor.com/class=name[,required]`: a device by its CDI name.

<https://docs.docker.com/reference/dockerfile/#run---device>
"""

from __future__ import annotations

from composer.build.dockerfile.instructions import Device
from composer.build.dockerfile.values import UnfitError

_TRUTH = {"1": True, "t": True, "true": True, "0": False, "f": False, "false": False}


def read_device(text: str) -> Device:
    """The device that the flag's value means. Raises UnfitError."""
    name, required = "", False
    fields = text.split(",")
    for field in fields:
        key, equals, value = field.partition("=")
        if equals and key.lower() == "name" and not name:
            name = value
        elif key.lower() == "required" and (equals or len(fields) > 1):
            if (value.lower() if equals else "true") not in _TRUTH:
                raise UnfitError(f"a device's `required` is true or false, not `{value}`")
            required = _TRUTH[value.lower()] if equals else True
        elif name:
            raise UnfitError(f"unexpected `{field}` in a device", "a device has a name and perhaps `required`")
        else:
            name = field
    if not name:
        raise UnfitError("a device needs a name", "write for instance `--device=vendor.com/gpu=all`")
    return Device(name, required)
