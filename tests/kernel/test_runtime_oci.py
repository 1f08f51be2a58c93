"""The same `Spec` as `config.json`: an established OCI runtime takes it and makes the same container of it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import uuid
from dataclasses import replace
from pathlib import Path

import pytest

from composer.oci.runtime_spec import Mount, Rlimit, to_json
from composer.runtime import seccomp
from composer.runtime.capabilities import DEFAULT
from composer.runtime.defaults import default_process, default_spec

pytestmark = pytest.mark.kernel


@pytest.mark.parametrize("runtime", ["runc", "crun"])
def test_another_runtime_runs_the_bundle(runtime: str, tmp_path: Path) -> None:
    busybox = shutil.which("busybox")
    if os.geteuid() or not shutil.which(runtime) or not busybox:
        pytest.skip(f"needs root, {runtime} and busybox-static")
    if runtime == "crun" and Path("/sys/fs/cgroup/unified").exists():
        pytest.skip("needs a unified cgroup hierarchy: crun refuses a hybrid one")
    (tmp_path / "rootfs/bin").mkdir(parents=True)
    shutil.copy(busybox, tmp_path / "rootfs/bin/busybox")
    process = default_process(
        ("/bin/busybox", "sh", "-c", "busybox hostname; busybox cat /proc/self/status; ulimit -n; busybox pwd"),
        env=("PATH=/bin",),
        cwd="/work",
        rlimits=(Rlimit("RLIMIT_NOFILE", 100, 200),),
    )
    spec = default_spec(
        process,
        hostname="web",
        read_only=True,
        mounts=(Mount("/work", str(tmp_path), "bind", ("rbind", "ro", "rprivate")),),
        sysctl={"net.ipv4.ip_unprivileged_port_start": "0"},
    )
    # Older releases of the runtimes refuse a version newer than they are; 1.0.2 has everything used here.
    linux = replace(spec.linux, seccomp=seccomp.default_filter(DEFAULT), cgroups_path=f"/composer-test-{tmp_path.name}")
    document = to_json(replace(spec, linux=linux, oci_version="1.0.2"))
    (tmp_path / "config.json").write_text(json.dumps(document))
    name = f"composer-{uuid.uuid4().hex[:8]}"

    done = subprocess.run(
        [runtime, "--root", str(tmp_path / "state"), "run", "--bundle", str(tmp_path), name],
        capture_output=True,
        text=True,
        timeout=60,
        stdin=subprocess.DEVNULL,
    )

    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert (lines[0], lines[-2:]) == ("web", ["100", "/work"])
    assert "CapEff:\t00000000a80425fb" in lines
    assert "Seccomp:\t2" in lines
