"""Attributes that a container's process can see the effect of: one project, a service for each theme."""

from __future__ import annotations

import json
import os
from pathlib import Path

from tests.e2e.harness import IDLE, Engine, eventually

DEVICE = next(name for name in ("/dev/fuse", "/dev/loop-control", "/dev/kmsg") if Path(name).exists())
"""One that no container may open unless told so."""

LAB = f"""
    services:
      privileged: {{image: host, command: {IDLE}, privileged: true}}
      devices:
        image: host
        command: {IDLE}
        devices: ["{DEVICE}:/dev/named:r", "/dev/null:/dev/nothing"]
        device_cgroup_rules: ["c 1:11 r"]
      limits:
        image: host
        command: {IDLE}
        mem_limit: 64m
        mem_reservation: 32m
        memswap_limit: 96m
        cpu_quota: 20000
        cpu_period: 50000
        cpu_shares: 512
        pids_limit: 50
        oom_score_adj: 300
        ulimits: {{nofile: {{soft: 100, hard: 200}}}}
        group_add: ["12", daemon]
        sysctls: {{net.core.somaxconn: 333}}
        shm_size: 8m
        cap_drop: [ALL]
        cap_add: [NET_BIND_SERVICE]
        security_opt: ["no-new-privileges:true"]
      deployed:
        image: host
        command: {IDLE}
        deploy: {{resources: {{limits: {{memory: 48m, cpus: "0.5", pids: 40}}, reservations: {{memory: 16m}}}}}}
      host_names: {{image: host, command: {IDLE}, ipc: host, uts: host}}
      lender: {{image: host, command: {IDLE}, volumes: ["/anonymous", "data:/data"]}}
      borrower: {{image: host, command: {IDLE}, volumes_from: ["lender:ro"]}}
      writer: {{image: host, command: {IDLE}, volumes_from: [lender]}}
      linked: {{image: host, command: {IDLE}, links: ["lender:store", borrower], mac_address: "02:42:00:00:00:99"}}
    volumes: {{data: }}
"""


def test_what_the_file_asks_for_is_what_the_process_finds(engine: Engine) -> None:
    lab = engine.project(LAB)
    up = lab.up("-t", "1")
    assert "not supported" not in up.output

    def sh(service: str, script: str) -> str:
        return lab.compose("exec", "-T", service, "sh", "-c", script).output.strip()

    # privileged
    assert int(sh("privileged", "awk '/CapEff/ {print $2}' /proc/self/status"), 16) == _own_capabilities()
    assert sh("privileged", "grep Seccomp: /proc/self/status").split()[1] == "0"
    assert sh("privileged", "head -c 0 /dev/kmsg && echo yes") == "yes"
    assert "rw" in sh("privileged", "grep ' /sys ' /proc/mounts").split()[3].split(",")

    # devices
    assert sh("devices", "head -c 0 /dev/named && echo yes") == "yes"
    assert "not permitted" in sh("devices", "echo x > /dev/named")
    assert sh("devices", "echo x > /dev/nothing && echo yes") == "yes"

    # limits
    assert "33554432" in sh("limits", "cat /sys/fs/cgroup/memory/memory.soft_limit_in_bytes /sys/fs/cgroup/memory.low")
    assert "20000" in sh("limits", "cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us /sys/fs/cgroup/cpu.max")
    assert "50" in sh("limits", "cat /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max")
    assert sh("limits", "cat /proc/1/oom_score_adj") == "300"
    assert sh("limits", "ulimit -Sn; ulimit -Hn").split() == ["100", "200"]
    assert {"0", "12", "1"} <= set(sh("limits", "id -G").split())
    assert sh("limits", "cat /proc/sys/net/core/somaxconn") == "333"
    assert "8192k" in sh("limits", "grep ' /dev/shm ' /proc/mounts")
    assert sh("limits", "awk '/CapBnd/ {print $2}' /proc/self/status") == f"{1 << 10:016x}"
    assert sh("limits", "awk '/NoNewPrivs/ {print $2}' /proc/self/status") == "1"
    assert "50331648" in sh("deployed", "cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max")
    assert "16777216" in sh(
        "deployed", "cat /sys/fs/cgroup/memory/memory.soft_limit_in_bytes /sys/fs/cgroup/memory.low"
    )

    # namespaces of the host
    for kind in ("ipc", "uts"):
        assert sh("host_names", f"readlink /proc/self/ns/{kind}") == str(Path(f"/proc/self/ns/{kind}").readlink())
    assert sh("host_names", "cat /proc/sys/kernel/hostname") == os.uname().nodename

    # volumes of others
    sh("lender", "echo one > /anonymous/x; echo two > /data/y")
    assert sh("borrower", "cat /anonymous/x /data/y").split() == ["one", "two"]
    assert "Read-only" in sh("borrower", "touch /anonymous/z")
    assert sh("writer", "echo three > /anonymous/x && echo yes") == "yes"
    assert sh("lender", "cat /anonymous/x") == "three"

    # links and addresses
    assert sh("linked", "getent hosts store").split()[0] == sh("lender", "hostname -i").split()[0]
    assert sh("linked", "cat /sys/class/net/eth0/address") == "02:42:00:00:00:99"

    assert "nothing to do" in lab.compose("up", "--dry-run", check=True).output
    lab.edit("privileged: true", "privileged: false")
    lab.edit("oom_score_adj: 300", "oom_score_adj: 200")
    plan = lab.compose("up", "--dry-run", check=True).output
    assert "privileged: true -> false" in plan
    assert "oom_score_adj: 300 -> 200" in plan


def _own_capabilities() -> int:
    """Those of the engine: a privileged container has all that it may give."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("CapBnd:")[2].split()[0], 16)


def test_a_system_call_profile_of_ones_own_counts(engine: Engine) -> None:
    allow_all = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
        {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28}
    ]}  # fmt: skip
    lab = engine.project(
        f"services: {{web: {{image: host, command: {IDLE}, security_opt: ['seccomp:./no-mkdir.json']}}}}",
        files={"no-mkdir.json": json.dumps(allow_all)},
    )
    lab.up()

    assert "No space left" in lab.compose("exec", "-T", "web", "mkdir", "/x").output
    assert lab.compose("exec", "-T", "web", "touch", "/x").code == 0


def test_what_cannot_be_had_says_so(engine: Engine) -> None:
    lab = engine.project("services: {web: {image: host, command: 'true', devices: ['/dev/no-such-thing']}}")
    found = lab.compose("up", "-d")
    assert found.code == 1
    assert "there is no device `/dev/no-such-thing`" in found.stderr

    lab.write("services: {web: {image: host, command: 'true', runtime: kata}}")
    assert "there is no runtime `kata`" in lab.compose("up", "-d").stderr


TALK = f"i=0; while [ $$i -lt 4000 ]; do echo line $$i {'x' * 80}; i=$$((i+1)); done; echo done; exec sleep infinity"


def test_a_log_is_as_long_as_the_file_says(engine: Engine) -> None:
    lab = engine.project(f"""
        services:
          talker:
            image: host
            command: ["sh", "-c", "{TALK}"]
            logging: {{driver: json-file, options: {{max-size: 50k, max-file: "2"}}}}
          silent: {{image: host, command: ["sh", "-c", "echo unheard; sleep infinity"], logging: {{driver: none}}}}
          other: {{image: host, command: ["true"], logging: {{driver: syslog}}}}
    """)
    up = lab.up()
    assert "there is no log driver `syslog`" in up.stderr
    eventually(lambda: "done" in lab.logs("talker")[-1:])

    lines = lab.logs("talker")
    assert lines[0] != "line 0"
    assert 500 < len(lines) < 3000
    assert lines[-2].startswith("line 3999 ")
    assert lab.logs("silent") == []
    engine.kill("keeper")
    lab.exec("silent", "true")
    assert lab.container("silent")["State"] == "running"
