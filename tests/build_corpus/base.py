"""The image that the corpus builds on: busybox, a few users, nothing that depends on the day it is made."""

from __future__ import annotations

from pathlib import Path

from composer.oci.config import History
from tests.make.image import BUSYBOX, Made, directory, docker_archive, entry, symlink, tar

_APPLETS = (
    "ash awk cat chmod chown cp cut date dd df du echo env expr false find grep head hostname id ln ls md5sum "
    "mkdir mkfifo mknod mktemp mount mv nc nslookup od printf ps pwd readlink rm rmdir sed seq sh sha256sum sleep "
    "sort stat stty sync tail tar tee test timeout touch tr true tty umount uname uniq usleep wc wget which xargs "
    "yes"
)
_DIRECTORIES = ("bin", "dev", "etc", "home", "proc", "root", "sys", "usr", "usr/bin", "var", "var/log")
_PASSWD = """\
root:x:0:0:root:/root:/bin/sh
app:x:1000:1000::/home/app:/bin/sh
nobody:x:65534:65534:nobody:/nonexistent:/bin/false
"""
_GROUP = "root:x:0:\napp:x:1000:\nextra:x:2000:nobody\nnogroup:x:65534:\n"
_TIME = 1_500_000_000


def base_image() -> Made:
    """The image."""
    entries = [directory(name, mtime=_TIME) for name in _DIRECTORIES]
    entries.append(directory("tmp", mode=0o1777, mtime=_TIME))
    entries.append(entry("bin/busybox", BUSYBOX.read_bytes(), mode=0o755, mtime=_TIME))
    entries += [symlink(f"bin/{applet}", "busybox", mtime=_TIME) for applet in _APPLETS.split()]
    entries.append(entry("etc/passwd", _PASSWD.encode(), mtime=_TIME))
    entries.append(entry("etc/group", _GROUP.encode(), mtime=_TIME))
    created = "2020-01-01T00:00:00Z"
    settings = {
        "cmd": ("sh",),
        "env": ("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",),
        "created": created,
    }
    return Made((tar(*entries),), ("busybox:1",), {**settings, "history": (History(created, "the corpus"),)})


def write_archive(path: Path) -> Path:
    """The image as `docker save` writes it."""
    return docker_archive(path, [base_image()])
