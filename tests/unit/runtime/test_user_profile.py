from __future__ import annotations

import json
from typing import Any

import pytest

from composer.errors import ContainerError
from composer.oci.runtime_spec import LinuxSeccomp, LinuxSeccompArg
from composer.runtime.user_profile import user_filter


def made(syscalls: list[dict[str, Any]], **more: Any) -> LinuxSeccomp:
    profile = {"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 1, "syscalls": syscalls, **more}
    return user_filter(json.dumps(profile), ("CAP_SYS_ADMIN",), "x86_64", (6, 1), name="p.json")


def names(syscalls: list[dict[str, Any]]) -> list[str]:
    return [name for rule in made(syscalls).syscalls for name in rule.names]


def test_rules_count_by_capability_machine_and_kernel() -> None:
    allow = {"action": "SCMP_ACT_ALLOW"}
    assert names(
        [
            {"names": ["always"], **allow},
            {"name": "old", **allow},
            {"names": ["admin"], "includes": {"caps": ["CAP_SYS_ADMIN"]}, **allow},
            {"names": ["ptrace"], "includes": {"caps": ["CAP_SYS_PTRACE"]}, **allow},
            {"names": ["not_admin"], "excludes": {"caps": ["CAP_SYS_ADMIN"]}, **allow},
            {"names": ["amd"], "includes": {"arches": ["amd64", "x32"]}, **allow},
            {"names": ["arm"], "includes": {"arches": ["arm64"]}, **allow},
            {"names": ["no_amd"], "excludes": {"arches": ["amd64"]}, **allow},
            {"names": ["new"], "includes": {"minKernel": "4.8"}, **allow},
            {"names": ["newer"], "includes": {"minKernel": "6.2"}, **allow},
        ]
    ) == ["always", "old", "admin", "amd", "new"]


def test_arguments_and_answers_are_taken_over() -> None:
    args = [{"index": 0, "value": 8, "valueTwo": 2, "op": "SCMP_CMP_MASKED_EQ"}]
    rule = made([{"names": ["clone"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38, "args": args}]).syscalls[0]

    assert (rule.action, rule.errno_ret) == ("SCMP_ACT_ERRNO", 38)
    assert rule.args == (LinuxSeccompArg(0, 8, "SCMP_CMP_MASKED_EQ", 2),)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"defaultAction": "X", "syscalls": [{}]}', '{"defaultAction": 1,'])
def test_what_is_no_profile_is_told_by_its_name(text: str) -> None:
    with pytest.raises(ContainerError, match=r"`p\.json`"):
        user_filter(text, (), "x86_64", (6, 1), name="p.json")
