"""Control groups of version 2 on a kernel of its own, where laptops are and this machine may not be."""

from __future__ import annotations

import os

import pytest

from tests.guest import guest

pytestmark = [
    pytest.mark.soak,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root: the guest has this machine's files"),
]


def test_groups_and_firewall_in_a_guest() -> None:
    tests = "tests/kernel/test_runtime_cgroup_v2.py tests/kernel/test_firewall.py"
    ended = guest.run(f".venv/bin/pytest -q -p no:cacheprovider {tests}", timeout=1500)

    assert ended.status == 0, ended.output
    assert "passed" in ended.output
    assert "skipped" not in ended.output.splitlines()[-3:]
