"""A filter for steps of builds where a single user exists: package managers go through, though nothing changes its owner.

`apt`, `dpkg`, `apk` and the like give files to `_apt`, `mail` or `shadow` and become other users for a while. With one id
mapped the kernel refuses that, and the whole step fails. Answered with success instead, every file stays ours, as it must,
and the step does its work; Charliecloud has shown that this is enough for the distributions' own tools
<https://hpc.github.io/charliecloud/ch-image.html#privilege-model>.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from composer.runtime.profile import Rule

_OWNERS = ("chown", "chown32", "fchown", "fchown32", "fchownat", "lchown", "lchown32")
_IDS = ("setuid", "setgid", "setreuid", "setregid", "setresuid", "setresgid", "setgroups", "setfsuid", "setfsgid")
_DOING_NOTHING = frozenset((*_OWNERS, *_IDS, *(f"{name}32" for name in _IDS)))

APT = 'APT::Sandbox::User "root";\n'
"""apt looks whether it really has become another user: it is told not to."""
APT_FILE = "/etc/apt/apt.conf.d/99-one-user"


def lenient_rules(rules: Iterable[Rule]) -> tuple[Rule, ...]:
    """`rules`, but calls that give files or the process to other users are answered with success, and do nothing."""
    rest = [replace(rule, names=tuple(name for name in rule.names if name not in _DOING_NOTHING)) for rule in rules]
    return (*(rule for rule in rest if rule.names), Rule(tuple(sorted(_DOING_NOTHING)), errno=0))
