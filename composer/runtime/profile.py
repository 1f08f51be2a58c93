"""A system call profile: which calls a container may make, depending on its capabilities and on the machine.

The model is that of Docker's profiles <https://docs.docker.com/engine/security/seccomp/>; `resolved` decides the
conditions and gives the filter as the OCI runtime specification has it, for the embedded runtime and for others.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from composer.oci.runtime_spec import LinuxSeccomp, LinuxSeccompArg, LinuxSyscall

EPERM, ENOSYS = 1, 38

ARCHITECTURES = {
    "x86_64": ("SCMP_ARCH_X86_64", "SCMP_ARCH_X86"),
    "aarch64": ("SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"),
    "riscv64": ("SCMP_ARCH_RISCV64",),
    "s390x": ("SCMP_ARCH_S390X", "SCMP_ARCH_S390"),
    "ppc64le": ("SCMP_ARCH_PPC64LE",),
}
"""What a machine runs natively and in compatibility, by `uname -m`.

Without x32, which Docker lets in: hardly a kernel has it switched on, and a third of the program would be for it alone.
"""


@dataclass(frozen=True, slots=True)
class Rule:
    """Calls that are allowed (or, with `errno`, answered with an error) where every condition holds."""

    names: tuple[str, ...]
    args: tuple[LinuxSeccompArg, ...] = ()
    errno: int | None = None
    capability: str = ""
    """Only with this capability in the bounding set."""
    without: str = ""
    """Only without this one."""
    machines: tuple[str, ...] = ()
    """Only on these; empty: on every machine."""
    not_machines: tuple[str, ...] = ()

    def applies(self, capabilities: Collection[str], machine: str) -> bool:
        """Whether the rule is part of the filter of a container with `capabilities` on `machine`."""
        return (
            (not self.capability or self.capability in capabilities)
            and (not self.without or self.without not in capabilities)
            and (not self.machines or machine in self.machines)
            and machine not in self.not_machines
        )


def resolved(rules: Iterable[Rule], capabilities: Collection[str], machine: str) -> LinuxSeccomp:
    """The filter for a container with `capabilities` on `machine`; what no rule names is answered with EPERM."""
    return LinuxSeccomp(
        default_action="SCMP_ACT_ERRNO",
        default_errno_ret=EPERM,
        architectures=ARCHITECTURES.get(machine, ()),
        syscalls=tuple(
            LinuxSyscall(
                names=rule.names,
                action="SCMP_ACT_ALLOW" if rule.errno is None else "SCMP_ACT_ERRNO",
                errno_ret=rule.errno,
                args=rule.args,
            )
            for rule in rules
            if rule.applies(capabilities, machine)
        ),
    )
