"""What confines a container's processes: its user, its cgroup and its system call filter, worked out once for each."""

from __future__ import annotations

import asyncio
from pathlib import Path

from composer.engine.records import ContainerRecord
from composer.engine.rooms import Rooms
from composer.engine.translate import seccomp_profile
from composer.errors import ContainerError
from composer.image.catalogue import missing
from composer.image.image import Image
from composer.image.root import read_file
from composer.oci.runtime_spec import LinuxResources
from composer.runtime import seccomp, user
from composer.runtime.cgroup import Cgroup
from composer.runtime.user import Identity
from composer.runtime.user_profile import user_filter


class Confinement:
    """Answers for starts and execs; what it remembers of a container is forgotten with it."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms
        self._cgroups: dict[str, Cgroup] = {}
        self._images: dict[str, Image] = {}
        """Those looked for since the store's index was as `_stamp` says."""
        self._users: dict[tuple[Path, ...], tuple[str, str]] = {}
        """What images have as `passwd` and `group`, by their layers."""
        self._stamp = (0, 0, 0)
        self._filters: dict[tuple[tuple[str, ...], bool], bytes] = {}
        self._compiling = asyncio.Lock()

    def image(self, record: ContainerRecord) -> Image:
        """The image a container was made from. Raises ImageError when it is gone."""
        wanted, stamp = record.config.image_id or record.config.image, self._rooms.images.stamp()
        if self._stamp != stamp:
            self._images.clear()
            self._users.clear()
            self._stamp = stamp
        image = self._images.get(wanted) or self._rooms.images.find(wanted)
        if image is None:
            raise missing(record.config.image)
        if image.manifest is not None:  # the embedded image is none of the index, and changes with this machine
            self._images[wanted] = image
        return image

    def identity(self, record: ContainerRecord, image: Image, wanted: str = "") -> Identity:
        """Who `wanted` (or the container's own user) is, by the files as the container has them now.

        Raises ContainerError for a user or group that is not there.
        """
        upper = self._rooms.paths.container(record.id) / "upper"
        if image.manifest is None or any(upper.iterdir()):
            passwd, group = _users((upper, *image.layers))
        else:  # it has not written anything yet: what the image says, which many may be made from
            if image.layers not in self._users:
                self._users[image.layers] = _users(image.layers)
            passwd, group = self._users[image.layers]
        return user.resolve(wanted or record.config.user, passwd, group, record.config.group_add)

    def cgroup(self, record: ContainerRecord, resources: LinuxResources | None = None) -> Cgroup:
        """The container's control group, made if missing."""
        if record.id not in self._cgroups:
            # Some calls of mkdir(2): handing them to a thread would take longer.
            self._cgroups[record.id] = self._rooms.cgroups.create(record.id, resources)
        return self._cgroups[record.id]

    def forget(self, container: str) -> None:
        """Its control group goes."""
        self._cgroups.pop(container, None)

    async def filter(self, record: ContainerRecord, bounding: tuple[str, ...]) -> bytes:
        """The BPF program for a process with these capabilities in its bounding set, empty for none.

        Raises ContainerError for a profile of the user's own that cannot be read or is none.
        """
        profile, facts = seccomp_profile(record.config), self._rooms.facts
        if profile == "unconfined" or not facts.seccomp:
            return b""
        own = "" if profile in ("", "builtin") else profile
        if own:
            async with self._compiling:
                # Read at each start: whoever edits a profile wants it to count.
                wanted = user_filter(_text(own), bounding, facts.architecture, facts.kernel, name=own)
                return await asyncio.to_thread(seccomp.program, wanted, self._rooms.paths.data / "seccomp")
        return await self.default_filter(bounding)

    async def default_filter(self, bounding: tuple[str, ...], *, lenient: bool = False) -> bytes:
        """Docker's own filter for these capabilities as a BPF program, empty where the kernel has none.

        `lenient` as in `seccomp.default_filter`.
        """
        if not self._rooms.facts.seccomp:
            return b""
        key = bounding, lenient
        async with self._compiling:
            if key not in self._filters:
                cache = self._rooms.paths.data / "seccomp"
                wanted = seccomp.default_filter(bounding, lenient=lenient)
                self._filters[key] = await asyncio.to_thread(seccomp.program, wanted, cache)
        return self._filters[key]


def _users(layers: tuple[Path, ...]) -> tuple[str, str]:
    """The texts of `/etc/passwd` and `/etc/group`, empty for those that are not there."""
    passwd, group = (read_file(layers, name) or b"" for name in ("/etc/passwd", "/etc/group"))
    return passwd.decode("utf-8", "replace"), group.decode("utf-8", "replace")


def _text(path: str) -> str:
    try:
        return Path(path).read_text()
    except (OSError, UnicodeDecodeError) as error:
        reason = (error.strerror or "error").lower() if isinstance(error, OSError) else "it is not UTF-8"
        raise ContainerError(
            f"cannot read the seccomp profile `{path}`: {reason}",
            hint="a path in `security_opt` is relative to the project directory",
            step="seccomp",
        ) from error
