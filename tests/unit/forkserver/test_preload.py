from __future__ import annotations

import os
import resource
import subprocess

from composer.cli.app import build_all, root_command
from composer.forkserver.identity import identify, manners


def test_every_command_can_be_built_beforehand() -> None:
    build_all()

    root = root_command()
    assert set(root.commands) == set(root.list_commands(None))


def is_same(*prefix: str) -> bool:
    """Whether `cat`, started with a prefix, would be what we are."""
    with subprocess.Popen([*prefix, "cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"here\n")
        process.stdin.flush()
        process.stdout.readline()  # by now it is what the prefix makes of it
        same = identify(process.pid) == identify(os.getpid())
        process.stdin.close()
    return same


def test_another_user_privilege_or_namespace_makes_another_identity() -> None:
    assert is_same()
    assert is_same("sh", "-c", 'umask 027; cd /; exec "$0" "$@"')
    assert not is_same("nice", "-n", "5")
    if os.geteuid() == 0:
        assert not is_same("unshare", "--uts")
        assert not is_same("unshare", "--mount")
        assert not is_same("setpriv", "--reuid=65534", "--clear-groups")
        assert not is_same("setpriv", "--no-new-privs")


def test_umask_ignored_signals_and_limits_are_taken_over() -> None:
    program = "umask 027; trap '' HUP; ulimit -n 77; echo ready; read line"
    with subprocess.Popen(["sh", "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        found = manners(process.pid)
        process.communicate(b"\n")

    assert found.umask == 0o027
    assert 1 in found.ignored
    assert dict(found.limits)[resource.RLIMIT_NOFILE] == (77, 77)
