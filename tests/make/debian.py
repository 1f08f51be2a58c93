"""Builds the root file systems of the test images from Debian packages, once, into a cache directory.

    python -m tests.make.debian [--commands] [NAME...]      busybox debian python redis postgres

Prints the path of each tar; with `--commands`, the `compose image import` line of each. Mirror and apt settings are
the host's own (`COMPOSER_TEST_MIRROR` overrides the mirror); the cache is `COMPOSER_TEST_CACHE`, else
`~/.cache/composer-tests`. Needs root on a Debian-like host; debootstrap is installed when missing.

Every mount is made inside private mount and pid namespaces, so that nothing is left behind even when the build is
killed. A lock lets concurrent builders wait for the first, and a tar appears under its final name only when complete.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.make.debian_recipes import POLICY, RECIPES, SUITE, Recipe
from tests.make.hub_recipes import ALL

# Runs `$2...` in the tree $1; its mounts and any process it leaves die with these namespaces.
IN_TREE = """
tree=$1; shift
mount --bind "$tree" "$tree"
mount -t proc proc "$tree/proc"
mount --rbind /dev "$tree/dev"
chroot "$tree" "$@"
"""

# Grows a tree: an overlay over the base ($1) where the kernel has one, a copy otherwise; $2 is an empty directory,
# $3 a shell script that changes the tree, $4 the tar to write, $5 whether apt's settings stay.
GROW = """
base=$1 work=$2 script=$3 tar=$4 keep=${5:-}
mkdir -p "$work/upper" "$work/index" "$work/tree"
mount -t overlay overlay -o "lowerdir=$base,upperdir=$work/upper,workdir=$work/index" "$work/tree" 2>/dev/null ||
    cp -a "$base/." "$work/tree/"
tree=$work/tree
mount -t proc proc "$tree/proc"
mount --rbind /dev "$tree/dev"
chroot "$tree" sh -euc "$script"
umount "$tree/proc"
umount -l "$tree/dev"
"""

# What an image needs not carry: apt's lists and archives, documentation, this host's settings.
STRIP = """
cd "$tree"
rm -rf var/cache/apt/*.bin var/cache/apt/archives/*.deb var/lib/apt/lists/* var/log/apt var/log/*.log
rm -rf usr/share/doc/* usr/share/man/* usr/share/info/* usr/share/locale/* usr/share/lintian
[ -n "${keep:-}" ] || rm -f etc/apt/apt.conf.d/99*
rm -f etc/dpkg/dpkg.cfg.d/unsafe-io usr/sbin/policy-rc.d etc/resolv.conf etc/hostname
tar --numeric-owner --exclude='./dev/*' --exclude='./proc/*' -cf "$tar" .
"""


class BuildError(Exception):
    """A root file system could not be built; says why in a sentence."""


def cache_directory() -> Path:
    """Where the tars are kept."""
    return Path(os.environ.get("COMPOSER_TEST_CACHE") or Path.home() / ".cache/composer-tests")


def build(names: Sequence[str]) -> dict[str, Path]:
    """The tars of `names`, built if they are not in the cache. Idempotent; concurrent callers wait for each other."""
    cache = cache_directory()
    wanted = [ALL[name] for name in names]
    if not all(tar_path(recipe).exists() for recipe in wanted):
        if os.geteuid() != 0:
            raise BuildError("test images cannot be built: debootstrap and chroot need root")
        cache.mkdir(parents=True, exist_ok=True)
        with _lock(cache / "lock"), tempfile.TemporaryDirectory(prefix="build-", dir=cache) as scratch:
            for recipe in wanted:
                _ensure(recipe, Path(scratch))
    return {recipe.name: tar_path(recipe) for recipe in wanted}


def tar_path(recipe: Recipe) -> Path:
    """Where the tar of this very recipe is, or will be."""
    return cache_directory() / f"{recipe.name}-{recipe.key()}.tar"


def _ensure(recipe: Recipe, scratch: Path) -> None:
    tar = tar_path(recipe)
    if tar.exists():
        return
    partial = scratch / f"{recipe.name}.tar"
    if recipe.name == "busybox":
        _busybox(scratch, partial)
    elif recipe.name == "debian":
        _in_namespaces('tree=$1 tar=$2\n[ -d "$tree" ]\n' + STRIP, str(_base_tree(scratch, copy=True)), str(partial))
    else:
        _grow(recipe, scratch, partial)
    for older in tar.parent.glob(f"{recipe.name}-{'[0-9a-f]' * 12}.tar"):
        older.unlink()
    partial.rename(tar)


def _busybox(scratch: Path, tar: Path) -> None:
    """A root with one static binary and a link for each applet."""
    root = scratch / "busybox"
    package = scratch / "package"
    package.mkdir()
    download = ["apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", "busybox-static"]
    if subprocess.run(download, cwd=package, capture_output=True).returncode:
        _run("apt-get", "-qq", "update")
        _run(*download, cwd=package)
    _run("dpkg-deb", "-x", str(next(package.glob("*.deb"))), str(package / "tree"))
    for directory in ("bin", "etc", "tmp", "proc", "sys", "dev", "root", "usr/bin", "var/log"):
        (root / directory).mkdir(parents=True)
    (root / "tmp").chmod(0o1777)
    binary = next(path for path in (package / "tree").rglob("busybox") if path.is_file() and os.access(path, os.X_OK))
    shutil.copy2(binary, root / "bin/busybox")
    for applet in _run(str(binary), "--list").split():
        if applet != "busybox":
            (root / "bin" / applet).symlink_to("busybox")
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n")
    (root / "etc/group").write_text("root:x:0:\nnogroup:x:65534:\n")
    _run("tar", "-C", str(root), "--numeric-owner", "--owner=0", "--group=0", "-cf", str(tar), ".")


def _base_tree(scratch: Path, *, copy: bool = False) -> Path:
    """The minimal Debian that the other trees grow from, with apt ready for use; made once in a build.

    With `copy`, one that may be stripped without harming later use.
    """
    tree = scratch / "base"
    if not tree.exists():
        if not shutil.which("debootstrap"):
            _run("apt-get", "-qq", "update")
            _run("apt-get", "-qq", "install", "-y", "--no-install-recommends", "debootstrap")
        made = scratch / "base.partial"
        _in_namespaces('exec debootstrap --variant=minbase "$1" "$2" "$3"', SUITE, str(made), _mirror())
        _prepare_apt(made)
        _in_namespaces(IN_TREE, str(made), "apt-get", "-qq", "update")
        made.rename(tree)
    if not copy:
        return tree
    duplicate = scratch / "debian"
    _run("cp", "-a", str(tree), str(duplicate))
    return duplicate


def _prepare_apt(tree: Path) -> None:
    """Gives a tree this host's resolver and apt client settings; nothing is started, nothing is synced to disk."""
    shutil.copyfile("/etc/resolv.conf", tree / "etc/resolv.conf")
    for setting in Path("/etc/apt/apt.conf.d").glob("99*"):
        shutil.copy(setting, tree / "etc/apt/apt.conf.d")
    (tree / "etc/dpkg/dpkg.cfg.d/unsafe-io").write_text("force-unsafe-io\n")
    (tree / "etc/apt/sources.list").write_text(f"deb {_mirror()} {SUITE} main\n")
    policy = tree / "usr/sbin/policy-rc.d"
    policy.write_text(POLICY)
    policy.chmod(0o755)


def _grow(recipe: Recipe, scratch: Path, tar: Path) -> None:
    """Installs a recipe's packages and files over the base and packs the result."""
    lines = ["export DEBIAN_FRONTEND=noninteractive"]
    lines += [_write(path, content) for path, content in recipe.before.items()]
    lines.append(
        "apt-get install -qq -y --no-install-recommends -o Dpkg::Options::=--force-confold "
        + f"{shlex.join(recipe.packages)} >/tmp/apt.log 2>&1 || {{ cat /tmp/apt.log >&2; exit 1; }}; rm /tmp/apt.log"
    )
    lines += [_write(path, content) for path, content in recipe.files.items()]
    lines.append(recipe.script)
    work = scratch / recipe.name
    _in_namespaces(
        GROW + STRIP,
        str(_base_tree(scratch)),
        str(work),
        "\n".join(lines),
        str(tar),
        "keep" if recipe.keep_settings else "",
    )


def _write(path: str, content: str) -> str:
    mode = "755" if "/bin/" in path else "644"
    return f"install -D -m {mode} /dev/null /{path}; printf %s {shlex.quote(content)} > /{path}"


def _mirror() -> str:
    """The first mirror in the host's apt sources that is not the security archive."""
    if mirror := os.environ.get("COMPOSER_TEST_MIRROR"):
        return mirror
    listed = _run("apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages").split()
    mirrors = [uri for uri in listed if "security" not in uri]
    if not mirrors:
        raise BuildError("test images cannot be built: apt has no mirror configured; set COMPOSER_TEST_MIRROR")
    return mirrors[0]


def _in_namespaces(script: str, *arguments: str) -> None:
    """Runs a shell script in mount and pid namespaces of its own."""
    unshare = ["unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child"]
    _run(*unshare, "bash", "-euc", script, "bash", *arguments)


def _run(*command: str, cwd: Path | None = None) -> str:
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        command, cwd=cwd, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace"
    )
    if done.returncode:
        output = (done.stdout[-3000:] + done.stderr[-3000:]).strip()
        raise BuildError(f"`{shlex.join(command[:6])} ...` ended with {done.returncode}:\n{output}")
    return done.stdout


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def import_command(recipe: Recipe, tar: Path) -> list[str]:
    """The arguments of `compose` that make an image of a tar."""
    changes = [word for change in recipe.changes for word in ("--change", change)]
    return ["image", "import", str(tar), recipe.reference, *changes]


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; see the module docstring."""
    parser = argparse.ArgumentParser(prog="python -m tests.make.debian", description="Builds the test images' tars.")
    parser.add_argument("--commands", action="store_true", help="print the lines that import them")
    parser.add_argument("names", nargs="*", metavar="NAME", help=" ".join(ALL))
    options = parser.parse_args(arguments)
    unknown = [name for name in options.names if name not in ALL]
    if unknown:
        parser.error(f"no such image: {' '.join(unknown)} (there are {' '.join(ALL)})")
    try:
        tars = build(options.names or list(RECIPES))
    except BuildError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    for name, tar in tars.items():
        line = shlex.join(["compose", *import_command(ALL[name], tar)]) if options.commands else str(tar)
        sys.stdout.write(line + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
