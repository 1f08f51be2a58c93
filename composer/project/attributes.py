"""The table of attributes: every one of the Compose Specification, what it may look like and how far it is supported.

This is the one place to change when something becomes supported: an attribute of `NOT_HONOURED_YET` is read into the
model but nothing acts on it, one of `known(…)` is not even read; either gives a warning where it is used. The
`composer.project.schema` module writes the same table as JSON Schema.
"""

from __future__ import annotations

from composer.project import forms
from composer.project.mounts import MountEntry
from composer.project.ports import Ports, parse_exposed
from composer.project.quantities import parse_duration, parse_size
from composer.project.records import Attribute, ListOf, MapOf, Record, Status
from composer.project.shapes import Anything, Flag, Parsed, Real, Shape, Text, Whole

NOT_HONOURED_YET = frozenset(
    {
        "annotations", "cgroup_parent", "devices", "group_add", "ipc", "mem_reservation", "memswap_limit", "oom_score_adj",
        "pid", "privileged", "runtime", "uts", "volumes_from",
    }
)  # fmt: skip
"""Service attributes that are in the model and that nothing acts on yet."""


def known(*names: str) -> dict[str, Attribute]:
    """Attributes of the specification that are not read yet."""
    return {name: Attribute(Anything(), status=Status.KNOWN) for name in names}


def of(shape: Shape, doc: str, *, required: bool = False) -> Attribute:
    """An attribute that is honoured."""
    return Attribute(shape, doc, required=required)


STRINGS = ListOf(Text())
ONE_OR_MORE = ListOf(Text(), alone=True)
DURATION = Parsed("a duration", parse_duration, ("30s", "1m30s"))
SIZE = Parsed("a size", parse_size, ("64m", "1gb"))
CONTAINER_NAME = Parsed("a name", forms.parse_container_name, numbers=False)
NETWORK_MODE = Parsed("a network mode", forms.parse_network_mode, ("host",), numbers=False)
RESTART = Parsed("a restart policy", forms.parse_restart, ("unless-stopped",), numbers=False)
PULL_POLICY = Parsed("a pull policy", forms.parse_pull_policy, ("missing",), numbers=False)
PAIRS = forms.Pairs()
LABELS = of(PAIRS, "Metadata: a mapping, or a list of `NAME=VALUE`.")

BUILD = Record(
    {
        "context": of(Text(), "The directory (or URL) whose files the build sees.", required=True),
        "dockerfile": of(Text(), "The Dockerfile, relative to the context."),
        "dockerfile_inline": of(Text(), "The Dockerfile's text itself."),
        "target": of(Text(), "The stage to build."),
        "args": of(PAIRS, "Values of the Dockerfile's `ARG`s; a name alone is taken from the environment."),
        "labels": LABELS,
        "additional_contexts": of(PAIRS, "More contexts, by name."),
        "cache_from": of(STRINGS, "Where cached steps may come from."),
        "cache_to": of(STRINGS, "Where cached steps go."),
        "no_cache": of(Flag(), "Run every step again."),
        "pull": of(Flag(), "Look for newer base images."),
        "network": of(Text(), "The network of `RUN` steps: `host`, `none` or a name."),
        "shm_size": of(SIZE, "The size of /dev/shm."),
        "extra_hosts": of(forms.Hosts(), "More names for /etc/hosts."),
        "platforms": of(STRINGS, "The platforms to build for."),
        "tags": of(STRINGS, "More names for the image."),
        **known(
            "entitlements",
            "isolation",
            "no_cache_filter",
            "privileged",
            "provenance",
            "sbom",
            "secrets",
            "ssh",
            "ulimits",
        ),
    },
    alone="context",
    title="build",
)

DEPENDENCY = Record(
    {
        "condition": of(
            Text(choices=("service_started", "service_healthy", "service_completed_successfully")),
            "What the dependency must have reached first.",
            required=True,
        ),
        "restart": of(Flag(), "Restart this service when a command restarts the dependency."),
        "required": of(Flag(), "Whether it is an error if the dependency is missing; true if left out."),
    }
)

HEALTHCHECK = Record(
    {
        "test": of(forms.Probe(), "The command that tells whether the service is healthy."),
        "interval": of(DURATION, "The time between two probes; 30s if left out."),
        "timeout": of(DURATION, "How long a probe may take; 30s if left out."),
        "retries": of(Whole(0), "How many failures in a row mean unhealthy; 3 if left out."),
        "start_period": of(DURATION, "For how long after the start failures do not count."),
        "start_interval": of(DURATION, "The time between two probes during the start period."),
        "disable": of(Flag(), "Switch off the image's healthcheck."),
    },
    title="healthcheck",
)

HOOK = Record(
    {
        "command": of(forms.Words(), "The command and its arguments.", required=True),
        "user": of(Text(), "Who runs it; the container's user if left out."),
        "privileged": of(Flag(), "With all capabilities."),
        "working_dir": of(Text(), "Where it runs; the container's working directory if left out."),
        "environment": of(PAIRS, "Variables, beside those of the container."),
    }
)

DEVELOP = Record(
    {
        "watch": of(
            ListOf(
                Record(
                    {
                        "action": of(
                            Text(choices=("sync", "rebuild", "restart", "sync+restart", "sync+exec")),
                            "What follows from a change.",
                            required=True,
                        ),
                        "path": of(Text(), "What is watched, relative to the project directory.", required=True),
                        "target": of(Text(), "Where files go in the container."),
                        "ignore": of(ONE_OR_MORE, "Patterns of paths that do not count, as in `.dockerignore`."),
                        "include": of(ONE_OR_MORE, "Patterns of the only paths that count."),
                        "initial_sync": of(Flag(), "Compare what is there when the watch begins."),
                        "exec": of(HOOK, "The command of `sync+exec`."),
                    }
                )
            ),
            "What follows when files change.",
        )
    },
    title="develop",
)

ATTACHMENT = Record(
    {
        "aliases": of(STRINGS, "More names of the service on this network."),
        "ipv4_address": of(
            Parsed("an address", forms.parse_address), "A fixed address; needs a subnet in the network's `ipam`."
        ),
        "priority": of(Whole(), "The network with the highest becomes the first interface."),
        "gw_priority": of(Whole(), "The network with the highest gives the default route."),
        "ipv6_address": Attribute(Parsed("an address", forms.parse_address), status=Status.PARSED),
        "mac_address": Attribute(Text(), status=Status.PARSED),
        **known("link_local_ips", "driver_opts", "interface_name"),
    }
)

ENV_FILE = Record(
    {
        "path": of(Text(), "The file, relative to the project directory.", required=True),
        "required": of(Flag(), "Whether it must exist; true if left out."),
        "format": of(Text(choices=("raw",)), "`raw`: lines of `NAME=VALUE`, taken as they are."),
    },
    alone="path",
)

LIMITS = Record(
    {
        "cpus": of(Real(), "How many CPUs' worth of time."),
        "memory": of(SIZE, "The most memory."),
        "pids": of(Whole(), "The most processes."),
    }
)

DEPLOY = Record(
    {
        "replicas": of(Whole(0), "How many containers."),
        "resources": of(Record({"limits": of(LIMITS, "The most it may use."), **known("reservations")}), "Limits."),
        **known("endpoint_mode", "labels", "mode", "placement", "restart_policy", "rollback_config", "update_config"),
    }
)

EXTENDS = Record(
    {
        "service": of(Text(), "The service to start from.", required=True),
        "file": of(Text(), "The file it is in; this one if left out."),
    },
    alone="service",
)

_SERVICE: dict[str, Attribute] = {
    "image": of(Text(), "The image: `[REGISTRY/]NAME[:TAG][@DIGEST]`; `host` is built in and needs no registry."),
    "build": of(BUILD, "How to build the image: a context directory, or more."),
    "command": of(forms.Words(), "Replaces the image's command; a string is split into words, no shell runs it."),
    "entrypoint": of(forms.Words(), "Replaces the image's entrypoint."),
    "container_name": of(CONTAINER_NAME, "The container's name, for a single replica."),
    "hostname": of(Text(), "The container's host name."),
    "domainname": of(Text(), "The container's domain name."),
    "environment": of(PAIRS, "Environment variables; a name alone is taken from the shell."),
    "env_file": of(ListOf(ENV_FILE, alone=True), "Files of environment variables; `environment` goes before them."),
    "labels": LABELS,
    "annotations": of(PAIRS, "Annotations of the container."),
    "ports": of(Ports(), "Ports to publish: `[IP:][HOST:]CONTAINER[/PROTOCOL]`."),
    "expose": of(
        ListOf(Parsed("a port", parse_exposed, ("8080", "53/udp"))), "Ports that it listens on, for people and tools."
    ),
    "volumes": of(ListOf(MountEntry()), "What is mounted: `[SOURCE:]TARGET[:OPTIONS]`."),
    "volumes_from": of(STRINGS, "Mount all volumes of another service."),
    "tmpfs": of(ONE_OR_MORE, "Paths kept in memory: `PATH[:OPTIONS]`."),
    "depends_on": of(MapOf(DEPENDENCY, names=True), "Services that start before this one."),
    "links": of(STRINGS, "Services that this one reaches, `SERVICE[:ALIAS]`; networks do that by themselves."),
    "networks": of(MapOf(ATTACHMENT, names=True), "Networks it takes part in; `default` if left out."),
    "network_mode": of(NETWORK_MODE, "`none`, `host` or `service:NAME`."),
    "healthcheck": of(HEALTHCHECK, "How to tell whether it is healthy."),
    "restart": of(RESTART, "When to start it again."),
    "stop_signal": of(Parsed("a signal", forms.parse_signal, ("SIGTERM",)), "The signal that asks it to stop."),
    "stop_grace_period": of(DURATION, "How long it may take to stop before it is killed; 10s if left out."),
    "user": of(Text(), "Who the process runs as: `USER[:GROUP]`, names or ids."),
    "group_add": of(ListOf(Text(numbers=True)), "More groups of the process."),
    "working_dir": of(Text(), "Where the process starts."),
    "init": of(Flag(), "Run a small init as process 1."),
    "tty": of(Flag(), "Give it a terminal."),
    "stdin_open": of(Flag(), "Keep its standard input open."),
    "read_only": of(Flag(), "Mount the root file system read-only."),
    "profiles": of(STRINGS, "Start it only when one of these profiles is enabled, or when it is named."),
    "deploy": of(DEPLOY, "Replicas and limits."),
    "scale": of(Whole(0), "How many containers; the same as `deploy.replicas`."),
    "extra_hosts": of(forms.Hosts(), "More names for /etc/hosts; `host-gateway` is this machine."),
    "attach": of(Flag(), "Show its logs in `up`; true if left out."),
    "pull_policy": of(PULL_POLICY, "When to pull the image."),
    "platform": of(Text(), "The image's platform: `OS/ARCHITECTURE`."),
    "runtime": of(Text(), "Another OCI runtime."),
    "privileged": of(Flag(), "All capabilities and devices."),
    "cap_add": of(STRINGS, "Capabilities to add."),
    "cap_drop": of(STRINGS, "Capabilities to take away."),
    "security_opt": of(STRINGS, "Such as `no-new-privileges:true`."),
    "sysctls": of(PAIRS, "Kernel parameters of its namespaces."),
    "ulimits": of(MapOf(forms.UlimitForm()), "Resource limits, see getrlimit(2)."),
    "devices": of(STRINGS, "Devices: `HOST[:CONTAINER[:PERMISSIONS]]`."),
    "dns": of(ONE_OR_MORE, "Name servers."),
    "dns_search": of(ONE_OR_MORE, "Search domains."),
    "dns_opt": of(STRINGS, "Resolver options."),
    "ipc": of(Text(), "The IPC namespace."),
    "pid": of(Text(), "The PID namespace."),
    "uts": of(Text(), "The UTS namespace."),
    "cgroup_parent": of(Text(), "The parent cgroup."),
    "shm_size": of(SIZE, "The size of /dev/shm."),
    "mem_limit": of(SIZE, "The most memory."),
    "mem_reservation": of(SIZE, "Memory to keep for it under pressure."),
    "memswap_limit": of(SIZE, "The most memory and swap together."),
    "cpus": of(Real(), "How many CPUs' worth of time."),
    "cpu_shares": of(Whole(0), "Its share of CPU time against others."),
    "cpuset": of(Text(), "The CPUs it may run on."),
    "pids_limit": of(Whole(-1), "The most processes."),
    "oom_score_adj": of(Whole(), "How readily the kernel kills it when memory is short."),
    "develop": of(DEVELOP, "How `compose watch` keeps its containers up to date."),
    "extends": of(EXTENDS, "Start from another service's definition."),
    **known(
        "blkio_config",
        "cgroup",
        "configs",
        "cpu_count",
        "cpu_percent",
        "cpu_period",
        "cpu_quota",
        "cpu_rt_period",
        "cpu_rt_runtime",
        "credential_spec",
        "device_cgroup_rules",
        "external_links",
        "gpus",
        "isolation",
        "label_file",
        "logging",
        "mac_address",
        "mem_swappiness",
        "models",
        "oom_kill_disable",
        "post_start",
        "pre_start",
        "pre_stop",
        "provider",
        "pull_refresh_after",
        "secrets",
        "storage_opt",
        "use_api_socket",
        "userns_mode",
    ),
}

SERVICE = Record(
    {
        name: Attribute(row.shape, row.doc, Status.PARSED if name in NOT_HONOURED_YET else row.status)
        for name, row in _SERVICE.items()
    },
    title="service",
)

EXTERNAL = forms.Either(Flag(), Record({"name": of(Text(), "Its name; `name` beside `external` is the newer way.")}))

IPAM = Record(
    {
        "config": of(
            ListOf(
                Record(
                    {
                        "subnet": of(
                            Parsed("a subnet", forms.parse_subnet, ("10.5.0.0/24",)), "The addresses, as CIDR."
                        ),
                        "gateway": of(Parsed("an address", forms.parse_address), "The network's own address."),
                        "ip_range": of(Parsed("a subnet", forms.parse_subnet), "The part of it to give to containers."),
                        **known("aux_addresses"),
                    }
                )
            ),
            "The subnet.",
        ),
        "driver": of(Text(), "Only `default`."),
        **known("options"),
    }
)

NETWORK = Record(
    {
        "name": of(Text(), "Its name outside of this file; `PROJECT_KEY` if left out."),
        "external": of(EXTERNAL, "It exists already and is neither created nor removed."),
        "internal": of(Flag(), "Without a way out."),
        "driver": of(Text(), "Only `bridge`."),
        "driver_opts": Attribute(PAIRS, "Options of the driver.", Status.PARSED),
        "ipam": of(IPAM, "Addresses."),
        "labels": LABELS,
        "attachable": of(Flag(), "Makes no difference here."),
        "enable_ipv6": Attribute(Flag(), "Give it IPv6 addresses.", Status.PARSED),
        **known("enable_ipv4"),
    },
    title="network",
)

VOLUME = Record(
    {
        "name": of(Text(), "Its name outside of this file; `PROJECT_KEY` if left out."),
        "external": of(EXTERNAL, "It exists already and is neither created nor removed."),
        "driver": of(Text(), "Only `local`."),
        "driver_opts": Attribute(PAIRS, "Options of the driver.", Status.PARSED),
        "labels": LABELS,
    },
    title="volume",
)

INCLUDE = Record(
    {
        "path": of(ONE_OR_MORE, "The file, or several that are merged."),
        "project_directory": of(Text(), "What its relative paths are relative to; its own directory if left out."),
        "env_file": of(ONE_OR_MORE, "Variables for its interpolation."),
    },
    alone="path",
)

COMPOSE = Record(
    {
        "name": of(Text(), "The project's name."),
        "version": of(Anything(), "Without meaning today."),
        "include": of(ListOf(INCLUDE), "Other Compose files whose services and volumes belong to this project."),
        "services": of(MapOf(SERVICE, nulls=False, check=forms.complain_of_name), "The services.", required=True),
        "networks": of(MapOf(NETWORK, check=forms.complain_of_name), "The networks; `default` is always there."),
        "volumes": of(MapOf(VOLUME, check=forms.complain_of_name), "The named volumes."),
        **known("secrets", "configs", "models"),
    }
)
