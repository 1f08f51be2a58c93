"""The attributes of a service's `deploy` <https://github.com/compose-spec/compose-spec/blob/main/deploy.md>.

What is about many machines is read, printed and otherwise without effect, as in Docker Compose.
"""

from __future__ import annotations

from dataclasses import replace

from composer.project import forms
from composer.project.document import Mapping, Node, Path, say
from composer.project.records import Attribute, ListOf, Record
from composer.project.report import Report
from composer.project.rows import DURATION, LABELS, PAIRS, SIZE, STRINGS, of, unheard
from composer.project.shapes import Parsed, Real, Text, Whole, derived

_DEVICE_REQUEST: dict[str, Attribute] = {
    "capabilities": of(STRINGS, "What the device can do: `gpu`, `compute`.", required=True, examples=(["gpu"],)),
    "driver": of(Text(), "Whose device it is.", examples=("nvidia",)),
    "count": of(Parsed("a number or `all`", forms.parse_count, ("all",)), "How many, or `all`."),
    "device_ids": of(STRINGS, "Which ones.", examples=(["0"],)),
    "options": of(PAIRS, "Options of the driver."),
}


class _DeviceRequest(Record):
    """A request that says neither how many nor which is for all there are."""

    def read(self, node: Node, path: Path, report: Report) -> Node | None:
        read = super().read(node, path, report)
        if isinstance(read, Mapping) and {"count", "device_ids"} <= read.keys.keys():
            hint = "keep `device_ids`: it says how many as well"
            report.error(f"{say(path)} has both `count` and `device_ids`", read.key("count"), hint=hint)
        if isinstance(read, Mapping) and not {"count", "device_ids"} & read.keys.keys():
            return replace(read, entries={**read.entries, "count": derived(-1, read.mark)})
        return read


DEVICE_REQUESTS = ListOf(_DeviceRequest(_DEVICE_REQUEST, needs=("capabilities",)))

_LIMITS = Record(
    {
        "cpus": of(Real(), "How many CPUs' worth of time.", examples=("0.5",)),
        "memory": of(SIZE, "The most memory."),
        "pids": of(Whole(), "The most processes.", examples=(200,)),
    }
)

_GENERIC = Record(
    {
        "discrete_resource_spec": of(
            Record(
                {
                    "kind": of(Text(), "What.", required=True),
                    "value": of(Whole(), "How many.", required=True, always=True),
                }
            ),
            "A countable resource.",
            always=True,
        )
    }
)

_RESERVATIONS = Record(
    {
        "cpus": unheard(Real(), "CPU time that must be free; for a cluster to plan with."),
        "memory": of(SIZE, "Memory to keep for it under pressure."),
        "devices": unheard(DEVICE_REQUESTS, "Devices such as GPUs."),
        "generic_resources": unheard(ListOf(_GENERIC), "Resources of a cluster's machines."),
    }
)

_UPDATE = Record(
    {
        "parallelism": of(Whole(0), "How many containers at once.", always=True),
        "delay": of(DURATION, "The time between two groups."),
        "failure_action": of(Text(), "What to do when it fails: `continue`, `rollback` or `pause`."),
        "monitor": of(DURATION, "How long to watch for failures."),
        "max_failure_ratio": of(Real(), "How many may fail."),
        "order": of(
            Text(choices=("start-first", "stop-first")),
            "Whether the new or the old one goes first.",
            default="stop-first",
        ),
    }
)

_PLACEMENT = Record(
    {
        "constraints": of(STRINGS, "Where it may run.", examples=(["node.role == worker"],)),
        "preferences": of(ListOf(Record({"spread": of(Text(), "By which label.")})), "Where it had better run."),
        "max_replicas_per_node": of(Whole(0), "How many on one machine."),
    }
)

_RESTART = Record(
    {
        "condition": of(
            Text(choices=("none", "on-failure", "any"), blank=True),
            "When to start it again; `any` if left out.",
            default="any",
        ),
        "delay": unheard(DURATION, "The time before it; here it grows by itself from 100 ms to a minute."),
        "max_attempts": of(Whole(0), "How often at most.", always=True),
        "window": unheard(DURATION, "How long it must run to count as started; 10s here."),
    },
    usual="condition",
)

DEPLOY = Record(
    {
        "mode": unheard(Text(), "`replicated`; the others are for clusters.", default="replicated"),
        "replicas": of(Whole(0, 10_000), "How many containers.", always=True, default=1),
        "labels": of(LABELS.shape, "Metadata of the service; containers do not carry it."),
        "update_config": unheard(_UPDATE, "How a change is rolled out.", always=True),
        "rollback_config": unheard(_UPDATE, "How a change is taken back.", always=True),
        "resources": of(
            Record(
                {
                    "limits": of(_LIMITS, "The most it may use.", always=True),
                    "reservations": of(_RESERVATIONS, "What it needs at least.", always=True),
                }
            ),
            "Limits.",
        ),
        "restart_policy": of(_RESTART, "When to start it again; `restart` goes before it.", always=True),
        "placement": unheard(_PLACEMENT, "On which machines; there is one."),
        "endpoint_mode": unheard(Text(), "Only with Swarm."),
    }
)
