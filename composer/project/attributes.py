"""The table of attributes: every one of the Compose Specification, what it may look like and how far it is supported.

This is the one place to change when something becomes supported: a row that is `unheard` is read, checked and printed, but
nothing acts on it, and it gives a warning where it is used. The `composer.project.schema` module writes the same table as
JSON Schema. Larger groups of attributes have modules of their own: `attributes_build`, `attributes_deploy` and so on.
"""

from __future__ import annotations

from composer.project import forms
from composer.project.attributes_build import BUILD
from composer.project.attributes_deploy import DEPLOY
from composer.project.attributes_develop import DEVELOP, HOOKS, STEPS
from composer.project.attributes_devices import BLKIO, Device, Gpus
from composer.project.attributes_files import CONFIG, EXTERNAL, GRANTS, SECRET
from composer.project.mounts import MountEntry
from composer.project.ports import Ports, parse_exposed
from composer.project.records import Attribute, ListOf, MapOf, Record
from composer.project.rows import (
    ADDRESS,
    DURATION,
    LABELS,
    LIMIT,
    ONE_OR_MORE,
    PAIRS,
    SCALARS,
    SIZE,
    STRINGS,
    ULIMITS_DOC,
    of,
    unheard,
)
from composer.project.shapes import Anything, Flag, Parsed, Real, Text, Whole

CONTAINER_NAME = Parsed("a name", forms.parse_container_name, numbers=False, blank=True)
NETWORK_MODE = Parsed(
    "a network mode",
    forms.parse_network_mode,
    ("service:vpn",),
    numbers=False,
    words=("none", "host", "bridge"),
    blank=True,
)
RESTART = Parsed(
    "a restart policy",
    forms.parse_restart,
    blank=True,
    words=("no", "always", "on-failure", "unless-stopped"),
    examples=("on-failure:3",),
    numbers=False,
    pattern="no|always|unless-stopped|on-failure(:[0-9]+)?",
)
PULL_POLICY = Parsed(
    "a pull policy",
    forms.parse_pull_policy,
    ("every_12h",),
    numbers=False,
    words=("always", "never", "missing", "build", "daily", "weekly"),
)
SUBNET = Parsed("a subnet", forms.parse_subnet, ("10.5.0.0/24",))
PORT = Parsed("a port", parse_exposed, ("8080", "53/udp"))

DEPENDENCY = Record(
    {
        "condition": of(
            Text(choices=("service_started", "service_healthy", "service_completed_successfully")),
            "What the dependency must have reached first.",
            required=True,
            default="service_started",
        ),
        "restart": of(Flag(), "Restart this service when a command restarts the dependency.", default="no"),
        "required": of(Flag(), "Whether it is an error if the dependency is missing; true if left out.", always=True),
    },
    usual="condition",
)

HEALTHCHECK = Record(
    {
        "test": of(forms.Probe(), "The command that tells whether the service is healthy."),
        "timeout": of(DURATION, "How long a probe may take; 30s if left out.", always=True, default="30s"),
        "interval": of(DURATION, "The time between two probes; 30s if left out.", always=True, default="30s"),
        "retries": of(Whole(0), "How many failures in a row mean unhealthy; 3 if left out.", always=True, default=3),
        "start_period": of(DURATION, "For how long after the start failures do not count.", always=True, default="0s"),
        "start_interval": of(
            DURATION, "The time between two probes during the start period.", always=True, default="5s"
        ),
        "disable": of(Flag(), "Switch off the image's healthcheck.", default=False),
    },
    title="healthcheck",
    usual="test",
)

ATTACHMENT = Record(
    {
        "priority": of(Whole(), "The network with the highest becomes the first interface.", default=0),
        "gw_priority": of(Whole(), "The network with the highest gives the default route.", default=0),
        "aliases": of(STRINGS, "More names of the service on this network.", examples=(["store"],)),
        "ipv4_address": of(ADDRESS, "A fixed address; needs a subnet in the network's `ipam`.", examples=("10.5.0.5",)),
        "ipv6_address": unheard(ADDRESS, "A fixed IPv6 address."),
        "link_local_ips": unheard(STRINGS, "Link-local addresses."),
        "mac_address": of(Text(), "Its hardware address there.", examples=("02:42:ac:11:65:43",)),
        "driver_opts": unheard(PAIRS, "Options of the driver."),
        "interface_name": unheard(Text(), "The interface's name in the container."),
    }
)

ENV_FILE = Record(
    {
        "path": of(Text(), "The file, relative to the project directory.", required=True, examples=("app.env",)),
        "required": of(Flag(), "Whether it must exist; true if left out.", always=True, default=True),
        "format": of(Text(choices=("raw",)), "`raw`: lines of `NAME=VALUE`, taken as they are.", examples=("raw",)),
    },
    alone="path",
)

LOGGING = Record(
    {
        "driver": of(Text(), "`json-file` (or `local`), kept here; `none`; others are kept here too."),
        "options": of(PAIRS, "`max-size` and `max-file`."),
    },
    usual="driver",
)

MODEL_USE = Record(
    {
        "endpoint_var": of(Text(), "The variable that gets its address."),
        "model_var": of(Text(), "The variable that gets its name."),
    }
)

MODEL = Record(
    {
        "name": of(Text(), "Its name outside of this file."),
        "model": of(Text(), "The model's reference."),
        "context_size": of(Whole(0), "The most tokens of context."),
        "runtime_flags": of(STRINGS, "Flags of the program that runs it."),
    },
    title="model",
)

PROVIDER = Record(
    {
        "type": of(Text(), "The program.", required=True),
        "options": of(MapOf(ListOf(Text(numbers=True), alone=True)), "What it is told."),
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
    "image": of(
        Text(),
        "The image: `[REGISTRY/]NAME[:TAG][@DIGEST]`; `host` is built in and needs no registry.",
        examples=("nginx:1.27", "ghcr.io/owner/app@sha256:…", "host"),
    ),
    "build": of(BUILD, "How to build the image: a context directory, or more."),
    "command": of(
        forms.Words(),
        "Replaces the image's command; a string is split into words, no shell runs it.",
        always=True,
        examples=("python -m http.server", ["sh", "-c", "exec app"]),
    ),
    "entrypoint": of(forms.Words(), "Replaces the image's entrypoint.", always=True, examples=(["/entrypoint.sh"],)),
    "container_name": of(CONTAINER_NAME, "The container's name, for a single replica.", examples=("shop-web",)),
    "hostname": of(Text(), "The container's host name.", examples=("web",)),
    "domainname": of(Text(), "The container's domain name."),
    "environment": of(
        PAIRS,
        "Environment variables; a name alone is taken from the shell.",
        examples=({"LEVEL": "info"}, ["LEVEL=info", "TOKEN"]),
    ),
    "env_file": of(
        ListOf(ENV_FILE, alone=True),
        "Files of environment variables; `environment` goes before them.",
        examples=("app.env", [{"path": "local.env", "required": False}]),
    ),
    "labels": LABELS,
    "annotations": unheard(LABELS.shape, "Annotations of the container."),
    "ports": of(Ports(), "Ports to publish: `[IP:][HOST:]CONTAINER[/PROTOCOL]`."),
    "expose": of(ListOf(PORT), "Ports that it listens on, for people and tools."),
    "volumes": of(ListOf(MountEntry()), "What is mounted: `[SOURCE:]TARGET[:OPTIONS]`."),
    "volumes_from": of(STRINGS, "Mount all volumes of another service.", examples=(["data", "data:ro"],)),
    "tmpfs": of(ONE_OR_MORE, "Paths kept in memory: `PATH[:OPTIONS]`.", examples=("/run", ["/tmp:size=64m,mode=1777"])),
    "depends_on": of(
        MapOf(DEPENDENCY, names=True, alone=(("condition", "service_started"), ("required", True))),
        "Services that start before this one.",
        examples=(["db"], {"db": {"condition": "service_healthy"}}),
    ),
    "links": of(
        STRINGS,
        "Services that this one reaches, `SERVICE[:ALIAS]`; networks do that by themselves.",
        examples=(["db:database"],),
    ),
    "networks": of(
        MapOf(ATTACHMENT, names=True),
        "Networks it takes part in; `default` if left out.",
        examples=(["front", "back"], {"back": {"aliases": ["store"]}}),
    ),
    "network_mode": of(NETWORK_MODE, "`none`, `host` or `service:NAME`.", examples=("host", "none", "service:vpn")),
    "healthcheck": of(HEALTHCHECK, "How to tell whether it is healthy."),
    "restart": of(RESTART, "When to start it again."),
    "stop_signal": of(
        Parsed(
            "a signal",
            forms.parse_signal,
            blank=True,
            words=("SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGKILL"),
        ),
        "The signal that asks it to stop.",
        default="SIGTERM",
    ),
    "stop_grace_period": of(
        DURATION, "How long it may take to stop before it is killed; 10s if left out.", always=True, default="10s"
    ),
    "user": of(Text(), "Who the process runs as: `USER[:GROUP]`, names or ids.", examples=("1000:1000", "app")),
    "group_add": of(SCALARS, "More groups of the process.", examples=(["docker", 999],)),
    "working_dir": of(Text(), "Where the process starts.", examples=("/app",)),
    "init": of(Flag(), "Run a small init as process 1.", always=True, default=False),
    "tty": of(Flag(), "Give it a terminal.", default=False),
    "stdin_open": of(Flag(), "Keep its standard input open.", default=False),
    "read_only": of(Flag(), "Mount the root file system read-only.", default=False),
    "profiles": of(
        STRINGS, "Start it only when one of these profiles is enabled, or when it is named.", examples=(["debug"],)
    ),
    "deploy": of(DEPLOY, "Replicas and limits.", always=True),
    "scale": of(Whole(0, 10_000), "How many containers; the same as `deploy.replicas`.", always=True, default=1),
    "extra_hosts": of(forms.Hosts(), "More names for /etc/hosts; `host-gateway` is this machine."),
    "attach": of(Flag(), "Show its logs in `up`; true if left out.", always=True, default=True),
    "pull_policy": of(PULL_POLICY, "When to pull the image.", default="missing"),
    "platform": of(Text(), "The image's platform: `OS/ARCHITECTURE`.", examples=("linux/amd64",)),
    "runtime": of(Text(), "Another OCI runtime.", examples=("crun",)),
    "privileged": of(Flag(), "All capabilities and devices.", default=False),
    "cap_add": of(STRINGS, "Capabilities to add.", examples=(["NET_ADMIN"],)),
    "cap_drop": of(STRINGS, "Capabilities to take away.", examples=(["ALL"],)),
    "security_opt": of(
        STRINGS, "Such as `no-new-privileges:true`.", examples=(["no-new-privileges:true", "seccomp:./profile.json"],)
    ),
    "sysctls": of(forms.Labels(), "Kernel parameters of its namespaces.", examples=({"net.core.somaxconn": 1024},)),
    "ulimits": of(
        MapOf(forms.UlimitForm()), ULIMITS_DOC, examples=({"nofile": {"soft": 1024, "hard": 4096}, "nproc": 512},)
    ),
    "devices": of(ListOf(Device()), "Devices: `HOST[:CONTAINER[:PERMISSIONS]]`."),
    "dns": of(ListOf(Text(blank=True), alone=True), "Name servers.", examples=("1.1.1.1", ["1.1.1.1", "9.9.9.9"])),
    "dns_search": of(ONE_OR_MORE, "Search domains.", examples=("corp.example",)),
    "dns_opt": of(STRINGS, "Resolver options.", examples=(["ndots:2"],)),
    "ipc": of(Text(), "The IPC namespace.", examples=("private", "host", "shareable")),
    "pid": unheard(Text(), "The PID namespace.", examples=("host",)),
    "uts": of(Text(), "The UTS namespace.", examples=("host",)),
    "cgroup_parent": unheard(Text(), "The parent cgroup."),
    "shm_size": of(SIZE, "The size of /dev/shm."),
    "mem_limit": of(LIMIT, "The most memory."),
    "mem_reservation": of(SIZE, "Memory to keep for it under pressure."),
    "memswap_limit": of(LIMIT, "The most memory and swap together."),
    "cpus": of(Real(), "How many CPUs' worth of time.", examples=(0.5, 2)),
    "cpu_shares": of(Whole(0), "Its share of CPU time against others.", default=1024),
    "cpuset": of(Text(), "The CPUs it may run on.", examples=("0-3", "0,1")),
    "pids_limit": of(Whole(-1), "The most processes.", examples=(200,)),
    "oom_score_adj": of(Whole(-1000, 1000), "How readily the kernel kills it when memory is short.", default=0),
    "extends": of(
        EXTENDS,
        "Start from another service's definition.",
        examples=("base", {"file": "common.yaml", "service": "base"}),
    ),
    "blkio_config": of(BLKIO, "Shares and limits of block input and output.", always=True),
    "cgroup": unheard(Text(choices=("host", "private")), "The cgroup namespace.", default="private"),
    "configs": of(GRANTS, "Configs that it gets as files: names, or more."),
    "cpu_count": unheard(Whole(0), "Only on Windows."),
    "cpu_percent": unheard(Real(), "Only on Windows."),
    "cpu_period": of(Parsed("microseconds", forms.parse_microseconds), "The CPU quota's period, in microseconds."),
    "cpu_quota": of(Parsed("microseconds", forms.parse_microseconds), "The CPU time in each period, in microseconds."),
    "cpu_rt_period": unheard(Parsed("microseconds", forms.parse_microseconds), "The period of real-time scheduling."),
    "cpu_rt_runtime": unheard(Parsed("microseconds", forms.parse_microseconds), "The real-time share of each period."),
    "credential_spec": unheard(
        Record({name: of(Text(), "Only on Windows.") for name in ("config", "file", "registry")}), "Only on Windows."
    ),
    "develop": of(DEVELOP, "What happens while you develop."),
    "device_cgroup_rules": of(STRINGS, "Rules of the device controller: `c 1:3 mr`.", examples=(["c 1:3 mr"],)),
    "external_links": unheard(
        STRINGS, "Containers outside of this project, `CONTAINER[:ALIAS]`.", examples=(["other_db_1:db"],)
    ),
    "gpus": unheard(Gpus(), "GPUs: `all`, or a list."),
    "isolation": unheard(Text(), "Only on Windows."),
    "label_file": of(ONE_OR_MORE, "Files of labels; `labels` goes before them.", examples=("labels.txt",)),
    "logging": of(LOGGING, "What happens to its output.", always=True),
    "mac_address": of(Text(), "Its hardware address on its first network."),
    "mem_swappiness": of(SIZE, "How readily its memory is swapped out: 0 to 100."),
    "models": unheard(MapOf(MODEL_USE, names=True), "Models it uses."),
    "oom_kill_disable": unheard(Flag(), "Let it wait for memory instead of killing it."),
    "post_start": unheard(HOOKS, "Commands run in the container once it has started."),
    "pre_start": unheard(STEPS, "Containers run before it starts."),
    "pre_stop": unheard(HOOKS, "Commands run in the container before it is stopped."),
    "provider": unheard(PROVIDER, "A program outside that provides the service."),
    "pull_refresh_after": unheard(DURATION, "How old a pulled image may be."),
    "secrets": of(GRANTS, "Secrets that it gets as files below /run/secrets: names, or more."),
    "storage_opt": unheard(PAIRS, "Options of the storage driver."),
    "use_api_socket": unheard(Flag(), "Give it the engine's socket."),
    "userns_mode": unheard(Text(), "The user namespace."),
}

SERVICE = Record(_SERVICE, title="service", usual="image")

IPAM = Record(
    {
        "driver": of(Text(), "Only `default`."),
        "config": of(
            ListOf(
                Record(
                    {
                        "subnet": of(SUBNET, "The addresses, as CIDR.", examples=("10.5.0.0/24",)),
                        "gateway": of(ADDRESS, "The network's own address.", examples=("10.5.0.1",)),
                        "ip_range": of(SUBNET, "The part of it to give to containers.", examples=("10.5.0.128/25",)),
                        "aux_addresses": of(
                            PAIRS,
                            "Addresses that others have, by host name: no container gets them.",
                            examples=({"printer": "10.5.0.9"},),
                        ),
                    }
                )
            ),
            "The subnet.",
        ),
        "options": unheard(PAIRS, "Options of the driver."),
    }
)

NETWORK = Record(
    {
        "name": of(Text(), "Its name outside of this file; `PROJECT_KEY` if left out."),
        "driver": of(Text(), "Only `bridge`."),
        "driver_opts": unheard(PAIRS, "Options of the driver."),
        "ipam": of(IPAM, "Addresses."),
        "external": of(EXTERNAL, "It exists already and is neither created nor removed."),
        "internal": of(Flag(), "Without a way out.", default=False),
        "attachable": of(Flag(), "Makes no difference here.", default=False),
        "labels": LABELS,
        "enable_ipv4": unheard(Flag(), "Give it IPv4 addresses; true if left out.", always=True, default=True),
        "enable_ipv6": unheard(Flag(), "Give it IPv6 addresses.", always=True, default=False),
    },
    title="network",
)

VOLUME = Record(
    {
        "name": of(Text(), "Its name outside of this file; `PROJECT_KEY` if left out."),
        "driver": of(Text(), "Only `local`."),
        "driver_opts": unheard(PAIRS, "Options of the driver."),
        "external": of(EXTERNAL, "It exists already and is neither created nor removed."),
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
        "secrets": of(MapOf(SECRET, check=forms.complain_of_name), "The secrets."),
        "configs": of(MapOf(CONFIG, check=forms.complain_of_name), "The configs."),
        "models": unheard(MapOf(MODEL), "Models that services use."),
    }
)
