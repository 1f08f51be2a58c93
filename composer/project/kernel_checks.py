"""Checks of what a service asks of the kernel: what no kernel has is refused where it would be run, with its line."""

from __future__ import annotations

import ipaddress

from composer.project.document import Mapping, Scalar
from composer.project.merged import entries_of, items_of, services_of
from composer.project.report import Report
from composer.project.shapes import did_you_mean

LEAST_MEMORY = 6 << 20
"""Docker's; with less not even a container's first process gets as far as its program."""
_LIMITS = ("as", "core", "cpu", "data", "fsize", "memlock", "msgqueue", "nice", "nofile", "nproc", "rss", "rtprio",
           "rttime", "sigpending", "stack")  # fmt: skip
"""Of getrlimit(2)."""
_OPTIONS = ("no-new-privileges", "seccomp", "apparmor", "label", "systempaths")
_WITHOUT_EFFECT = {"apparmor": ("unconfined", "docker-default"), "label": ("disable",)}
"""Options that do nothing here, with those of their values that are as good as none."""


def limits(tree: Mapping, report: Report) -> None:
    """Which resource limits there are, and how little memory is none."""
    for name, service in services_of(tree).items():
        ulimits = entries_of(service, "ulimits")
        for limit in ulimits:
            if limit not in _LIMITS and not limit.startswith("x-"):
                owner = service.get("ulimits")
                mark = owner.key(limit) if isinstance(owner, Mapping) else None
                message = f"services.{name}.ulimits: there is no limit `{limit}`"
                hint = did_you_mean(limit, _LIMITS) or "getrlimit(2) lists them: such as `nofile` and `nproc`"
                report.refuse(message, mark, hint=hint)
        memory = service.get("mem_limit")
        if isinstance(memory, Scalar) and isinstance(memory.value, int) and 0 < memory.value < LEAST_MEMORY:
            message = f"services.{name}.mem_limit: no program starts with so little memory"
            report.refuse(message, memory.mark, label="expected 6m or more", hint="without a unit these are bytes")


def name_servers(tree: Mapping, report: Report) -> None:
    """Name servers are addresses: who should look up their names?"""
    for name, service in services_of(tree).items():
        for number, item in enumerate(items_of(service, "dns")):
            if isinstance(item, Scalar) and item.value and not _is_address(str(item.value)):
                message = f"services.{name}.dns[{number}]: `{item.value}` is not an IP address"
                report.refuse(message, item.mark, label="expected something like `1.1.1.1`")


def security_options(tree: Mapping, report: Report) -> None:
    """Which options there are, and which do nothing here."""
    for name, service in services_of(tree).items():
        for number, item in enumerate(items_of(service, "security_opt")):
            text = str(item.value) if isinstance(item, Scalar) else ""
            option, _, value = text.replace("=", ":", 1).partition(":")
            where = f"services.{name}.security_opt[{number}]"
            if option not in _OPTIONS:
                hint = did_you_mean(option, _OPTIONS) or f"there are {', '.join(f'`{each}`' for each in _OPTIONS)}"
                report.refuse(f"{where}: there is no option `{option}`", item.mark, hint=hint)
            elif option in _WITHOUT_EFFECT and value not in _WITHOUT_EFFECT[option]:
                report.warn(
                    f"{where}: `{option}` is not supported yet and has no effect", item.mark, about_running=True
                )


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        return False
    return True
