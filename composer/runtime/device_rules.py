"""Which devices a container may open: Docker's list, and what its own `devices:` add.

Rules are the OCI runtime specification's, in order, the last match counts:
<https://github.com/opencontainers/runtime-spec/blob/v1.2.0/config-linux.md#allowed-device-list>.
"""

from __future__ import annotations

from composer.oci.runtime_spec import LinuxDeviceCgroup

DENY_ALL = LinuxDeviceCgroup(False)

DEFAULT = (
    # mknod of anything (CAP_MKNOD), opening of little.
    LinuxDeviceCgroup(True, "c", access="m"),
    LinuxDeviceCgroup(True, "b", access="m"),
    *(LinuxDeviceCgroup(True, "c", 1, minor, "rwm") for minor in (3, 5, 7, 8, 9)),
    *(LinuxDeviceCgroup(True, "c", 5, minor, "rwm") for minor in (0, 1, 2)),
    LinuxDeviceCgroup(True, "c", 136, access="rwm"),
)


def with_own(own: tuple[LinuxDeviceCgroup, ...]) -> tuple[LinuxDeviceCgroup, ...]:
    """All rules of a container that asks for `own`: everything is denied, then the defaults, then its own."""
    return (DENY_ALL, *DEFAULT, *(rule for rule in own if rule != DENY_ALL))
