"""Attributes that decide where a container is, whom it finds, and what it is told: one project, a service for each theme."""

from __future__ import annotations

import os

from tests.e2e.harness import IDLE, Engine, eventually
from tests.make.ports import free_port

LAB = f"""
    include:
      - path: parts/other.yaml
        project_directory: parts
        env_file: parts/other.env
    services:
      told:
        extends: {{service: base, file: base.yaml}}
        env_file:
          - {{path: raw.env, format: raw}}
          - {{path: none.env, required: false}}
        label_file: [labels.txt]
        expose: ["9000-9001", "53/udp"]
      resolver:
        image: host
        command: {IDLE}
        dns: [192.0.2.53]
        dns_search: [corp.example]
        dns_opt: ["ndots:3"]
      placed:
        image: host
        command: {IDLE}
        networks:
          back: {{ipv4_address: 10.213.7.77, gw_priority: 1}}
          front: {{priority: 10}}
      ranged: {{image: host, command: {IDLE}, networks: [back]}}
      mounts:
        image: host
        command: {IDLE}
        volumes:
          - {{type: volume, source: data, target: /part, volume: {{subpath: deep, nocopy: true}}}}
          - {{type: bind, source: ./shared, target: /shared, bind: {{propagation: rshared, selinux: z}}, consistency: cached}}
        depends_on: {{filler: {{condition: service_completed_successfully}}}}
      filler:
        image: host
        command: ["sh", "-c", "mkdir -p /data/deep && echo deep > /data/deep/x"]
        volumes: ["data:/data"]
      limited: {{image: host, command: {IDLE}, cpuset: "0", mem_swappiness: 10}}
      open:
        image: host
        command: ["python3", "-m", "http.server", "8000"]
        ports: [{{target: 8000, published: "PORT", host_ip: 127.0.0.1, app_protocol: http, name: web, mode: host}}]
        healthcheck: {{test: ["CMD", "true"], interval: 60s, start_period: 60s, start_interval: 100ms}}
      waiting:
        image: host
        command: {IDLE}
        attach: false
        healthcheck: {{test: ["CMD", "false"], disable: true}}
        depends_on:
          open: {{condition: service_healthy, restart: true}}
          elsewhere: {{condition: service_started, required: false}}
      elsewhere: {{image: host, command: {IDLE}, profiles: [other]}}
      failing:
        image: host
        command: ["false"]
        deploy: {{restart_policy: {{condition: on-failure, max_attempts: 2}}}}
      quiet: {{image: host, pull_policy: never, platform: linux/MACHINE, command: {IDLE}}}
    networks:
      front: {{attachable: true}}
      back:
        ipam:
          config:
            - subnet: 10.213.7.0/24
              gateway: 10.213.7.254
              ip_range: 10.213.7.128/25
              aux_addresses: {{printer: 10.213.7.128, nas: 10.213.7.129}}
    volumes: {{data: }}
"""
FILES = {
    "base.yaml": f"services: {{base: {{image: host, command: {IDLE}, environment: {{FROM_BASE: 'yes'}}}}}}",
    "raw.env": "RAW='as it is' # all of it\n",
    "labels.txt": "team=shop\n",
    "parts/other.yaml": f"services: {{included: {{image: host, command: {IDLE}, "
    "environment: {W: '${WORD}'}, volumes: ['.:/here']}}",
    "parts/other.env": "WORD=included\n",
    "shared/x": "",
}
MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}


def test_what_the_file_asks_for_is_where_it_should_be(engine: Engine) -> None:
    port = free_port()
    machine = MACHINES.get(os.uname().machine, os.uname().machine)
    lab = engine.project(LAB.replace("PORT", str(port)).replace("MACHINE", machine), files=FILES)
    up = lab.compose("up", "-d", "-t", "1", check=True)
    assert "not supported" not in up.output

    def sh(service: str, script: str) -> str:
        return lab.compose("exec", "-T", service, "sh", "-c", script).output.strip()

    # what containers are told
    assert sh("told", "echo $FROM_BASE $RAW") == "yes 'as it is' # all of it"
    assert "team=shop" in lab.container("told")["Labels"]
    assert sh("included", "echo $W; ls /here").split() == ["included", "other.env", "other.yaml"]
    assert {"nameserver 192.0.2.53", "search corp.example"} <= {
        line.strip() for line in sh("resolver", "cat /etc/resolv.conf").splitlines()
    } or "127.0.0.11" in sh("resolver", "cat /etc/resolv.conf")
    assert "ndots:3" in sh("resolver", "cat /etc/resolv.conf")
    assert "corp.example" in sh("resolver", "cat /etc/resolv.conf")

    # networks
    assert sh("placed", "getent hosts $(hostname) >/dev/null; cat /proc/net/fib_trie").count("10.213.7.77") > 0
    gateway = bytes(reversed((10, 213, 7, 254))).hex().upper()
    assert gateway in sh("placed", "awk '$2 == \"00000000\" {print $3}' /proc/net/route")
    assert "10.213.7" not in sh("placed", "ip -4 -o addr show eth0 2>/dev/null || true")
    ranged = sh("ranged", "hostname -i").split()[0]
    assert ranged == "10.213.7.130"

    # mounts
    assert sh("mounts", "cat /part/x; ls /part").split() == ["deep", "x"]
    assert "shared:" in sh("mounts", "grep ' /shared ' /proc/self/mountinfo")

    # limits
    assert sh("limited", "awk '/Cpus_allowed_list/ {print $2}' /proc/self/status") == "0"
    swappiness = sh("limited", "cat /sys/fs/cgroup/memory/memory.swappiness 2>/dev/null || echo none")
    assert swappiness in ("10", "none")

    # ports, health and what waits for it
    assert lab.container("open")["Publishers"][0]["URL"] == "127.0.0.1"
    assert lab.container("told")["Ports"] == "9000-9001/tcp, 53/udp"
    assert {"URL": "", "TargetPort": 9001, "PublishedPort": 0, "Protocol": "tcp"} in lab.container("told")["Publishers"]
    assert lab.container("open")["Health"] == "healthy"
    assert lab.container("waiting")["Health"] == ""
    assert "elsewhere" not in lab.ps("-a")

    # restarts of a deployment, and the end of them
    ended = eventually(lambda: (found := lab.container("failing"))["State"] == "exited" and found)
    assert ended["ExitCode"] == 1
    assert lab.container("quiet")["State"] == "running"
