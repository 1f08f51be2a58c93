"""The embedded base image `host`: this machine's programs in a root file system of their own, without any registry.

Its only layer is a skeleton made here: directories, a few files of `/etc`, and the symlinks from `/bin` into `/usr`
where this machine has them. Everything else is bound from this machine, read-only: `/usr`, and from `/etc` a fixed
list of what programs in `/usr` need to work. Never passwords, keys or the machine's identity.

It has no digest, because its content is whatever is installed; its layer is named by a hash of the skeleton.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from composer.errors import ImageError
from composer.image.image import HostBind, Image
from composer.image.staging import staging
from composer.oci.config import ImageConfig
from composer.oci.platform import this_platform
from composer.oci.reference import Reference, parse

PATH = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")

_REFERENCE = Reference("docker.io", "library/host")

# Where programs are: /usr, and on machines without merged directories the old places too.
_PROGRAMS = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")

# Of certificates only what is public: Debian keeps keys in /etc/ssl/private, Fedora in /etc/pki/tls/private.
_ETC = (
    "alternatives",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "localtime",
    "mime.types",
    "pki/ca-trust",
    "pki/tls/cert.pem",
    "pki/tls/certs",
    "protocols",
    "python3*",
    "services",
    "ssl/cert.pem",
    "ssl/certs",
    "ssl/openssl.cnf",
)

_DIRECTORIES = {
    "dev": 0o755,
    "etc": 0o755,
    "home": 0o755,
    "media": 0o755,
    "mnt": 0o755,
    "opt": 0o755,
    "proc": 0o555,
    "root": 0o700,
    "run": 0o755,
    "run/lock": 0o1777,
    "srv": 0o755,
    "sys": 0o555,
    "tmp": 0o1777,
    "usr": 0o755,
    "var": 0o755,
    "var/cache": 0o755,
    "var/lib": 0o755,
    "var/log": 0o755,
    "var/spool": 0o755,
    "var/tmp": 0o1777,
}

_SYMLINKS = {"etc/mtab": "../proc/self/mounts", "var/run": "/run", "var/lock": "/run/lock"}

# nsswitch.conf is written rather than bound: this machine's may name services (sss, mdns, resolve) that answer before
# DNS does and know nothing of a project's names.
_FILES = {
    "etc/passwd": """\
root:x:0:0:root:/root:/bin/sh
daemon:x:1:1:daemon:/:/usr/sbin/nologin
bin:x:2:2:bin:/:/usr/sbin/nologin
sys:x:3:3:sys:/:/usr/sbin/nologin
www-data:x:33:33:www-data:/var/www:/usr/sbin/nologin
nobody:x:65534:65534:nobody:/:/usr/sbin/nologin
""",
    "etc/group": """\
root:x:0:
daemon:x:1:
bin:x:2:
sys:x:3:
adm:x:4:
tty:x:5:
disk:x:6:
mail:x:8:
www-data:x:33:
staff:x:50:
users:x:100:
nogroup:x:65534:
""",
    "etc/hosts": "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n",
    "etc/host.conf": "multi on\n",
    "etc/hostname": "",
    "etc/nsswitch.conf": """\
passwd: files
group: files
shadow: files
hosts: files dns
networks: files
protocols: files
services: files
ethers: files
rpc: files
""",
    "etc/resolv.conf": "",
    "etc/shells": "/bin/sh\n",
}


@dataclass(frozen=True, slots=True)
class Skeleton:
    """What the layer consists of, by path below the root."""

    directories: Mapping[str, int]
    symlinks: Mapping[str, str]
    files: Mapping[str, str]

    @property
    def name(self) -> str:
        """A hash of the content."""
        parts = (sorted(self.directories.items()), sorted(self.symlinks.items()), sorted(self.files.items()))
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:12]


def is_reserved(reference: str) -> bool:
    """Whether `reference` means the embedded image, with whatever tag."""
    try:
        return parse(reference).name == _REFERENCE.name
    except ImageError:
        return False


def image(directory: Path, machine: Path = Path("/")) -> Image:
    """The image `host` of `machine`, its layer made below `directory` unless it is there. Raises OSError for the disk."""
    skeleton, binds = _survey_as_of(machine, _stamps(machine))
    layer = directory / skeleton.name / "fs"
    if not layer.is_dir():
        _make(skeleton, layer)
    platform = this_platform()
    config = ImageConfig(
        architecture=platform.architecture,
        os=platform.os,
        variant=platform.variant,
        env=("PATH=" + ":".join(PATH),),
        cmd=("/bin/sh",),
    )
    return Image("", _REFERENCE, None, config, (layer,), binds)


def survey(machine: Path) -> tuple[Skeleton, tuple[HostBind, ...]]:
    """What the image is on `machine`: the skeleton, which has a place for each bind, and the binds. Reads only."""
    directories, symlinks, files = dict(_DIRECTORIES), dict(_SYMLINKS), dict(_FILES)
    binds = [HostBind(machine / "usr", "/usr")]
    for name in _PROGRAMS:
        path = machine / name
        if path.is_symlink():
            symlinks[name] = str(path.readlink())
        elif path.is_dir():
            directories[name] = 0o755
            binds.append(HostBind(path, f"/{name}"))
    if (machine / "usr/lib/os-release").exists():
        symlinks["etc/os-release"] = "../usr/lib/os-release"
    for path in _allowed(machine / "etc"):
        name = str(path.relative_to(machine))
        real = path.resolve()
        directories |= dict.fromkeys((str(parent) for parent in list(Path(name).parents)[:-2]), 0o755)
        if path.is_symlink() and real.is_relative_to(machine / "usr"):
            symlinks[name] = "/" + str(real.relative_to(machine))  # what it leads to is there anyway
        elif real.is_dir():
            directories[name] = 0o755
            binds.append(HostBind(real, f"/{name}"))
        elif real.is_file():
            files[name] = ""
            binds.append(HostBind(real, f"/{name}"))
    return Skeleton(directories, symlinks, files), tuple(binds)


@lru_cache(maxsize=4)
def _survey_as_of(machine: Path, _: tuple[int, ...]) -> tuple[Skeleton, tuple[HostBind, ...]]:
    """`survey`, remembered until a directory it looks into changes: every start of a container asks for it."""
    return survey(machine)


def _stamps(machine: Path) -> tuple[int, ...]:
    directories = ("", "etc", "etc/pki", "etc/pki/tls", "etc/ssl")
    return tuple(path.stat().st_mtime_ns for name in directories if (path := machine / name).is_dir())


def _allowed(etc: Path) -> Iterable[Path]:
    for pattern in _ETC:
        yield from sorted(etc.glob(pattern))


def _make(skeleton: Skeleton, layer: Path) -> None:
    with staging(layer.parents[1]) as directory:
        made = directory / "layer"
        root = made / "fs"
        root.mkdir(parents=True)
        for name, mode in sorted(skeleton.directories.items()):
            (root / name).mkdir()
            (root / name).chmod(mode)
        for name, target in skeleton.symlinks.items():
            (root / name).symlink_to(target)
        for name, text in skeleton.files.items():
            (root / name).write_text(text)
            (root / name).chmod(0o644)
        made.chmod(0o755)
        root.chmod(0o755)
        try:
            made.rename(layer.parent)
        except OSError:
            if not layer.is_dir():  # somebody else was quicker otherwise
                raise
