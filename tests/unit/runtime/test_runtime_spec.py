import json
from typing import Any

import pytest

from composer.errors import StateError
from composer.oci.runtime_spec import (
    IDMapping,
    Linux,
    LinuxDeviceCgroup,
    LinuxMemory,
    LinuxPids,
    LinuxResources,
    LinuxSeccompArg,
    Process,
    Root,
    Spec,
    User,
    from_json,
    to_json,
)
from composer.runtime import seccomp
from composer.runtime.capabilities import DEFAULT
from composer.runtime.defaults import default_process, default_spec


def test_a_spec_survives_json() -> None:
    resources = LinuxResources(
        devices=(LinuxDeviceCgroup(False, access="rwm"),), memory=LinuxMemory(1, swap=-1), pids=LinuxPids(9)
    )
    spec = default_spec(
        default_process(("sh", ""), env=("A=",), user=User(0, 0, 0o22, (1, 2))), hostname="web", resources=resources
    )
    spec = Spec(spec.process, spec.root, linux=Linux(seccomp=seccomp.default_filter(DEFAULT, "x86_64")))

    assert from_json(json.loads(json.dumps(to_json(spec))), Spec) == spec


def test_keys_are_the_specifications() -> None:
    assert to_json(IDMapping(0, 100000, 65536)) == {"containerID": 0, "hostID": 100000, "size": 65536}
    assert to_json(LinuxMemory(disable_oom_killer=True)) == {"disableOOMKiller": True}
    assert to_json(LinuxSeccompArg(0, 1, "SCMP_CMP_EQ")) == {
        "index": 0,
        "value": 1,
        "op": "SCMP_CMP_EQ",
        "valueTwo": 0,
    }
    assert to_json(Process(("true",)))["noNewPrivileges"] is False
    assert to_json(User()) == {"uid": 0, "gid": 0}
    assert to_json(Spec(Process(("true",)), Root("rootfs")))["ociVersion"] == "1.2.0"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ([], "expected an object"),
        ({"root": {"path": "/"}}, "process"),
        (
            {"process": {"args": ["a"], "apparmorProfile": "x"}, "root": {"path": "/"}},
            "`apparmorProfile` is not supported",
        ),
        ({"process": {"args": [1]}, "root": {"path": "/"}}, r"args\[0\]"),
        ({"process": {"args": ["a"], "user": {"uid": True}}, "root": {"path": "/"}}, "uid"),
    ],
)
def test_what_is_not_understood_is_named(data: Any, said: str) -> None:
    with pytest.raises(StateError, match=said):
        from_json(data, Spec)
