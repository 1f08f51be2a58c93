"""Git repositories as directories, by way of the `git` program.

What comes from a repository is hostile. Git runs without anybody's configuration, hooks, prompts and helpers, and speaks
http, https, ssh and git only (submodules too: no `file` or `ext`); refs and addresses were checked before. The ref is resolved
first, so a commit that is here already is not fetched again. A checkout's files have the commit's time.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from composer.build.files.failures import FilesError, Reason, shown
from composer.build.files.git_reference import GitReference, is_ssh
from composer.image.removal import delete_tree
from composer.image.staging import staging
from composer.registry.transport import redacted

_PROTOCOLS = "http:https:ssh:git"
_PROXIES = ("http_proxy", "https_proxy", "no_proxy", "all_proxy")
_SAFE = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.symlinks=true",
    "core.autocrlf=false",
    "advice.detachedHead=false",
    "init.defaultBranch=main",
    "gc.auto=0",
)
_MOST_OUTPUT = 1 << 22
_LONGEST_REASON = 300


@dataclass(frozen=True, slots=True)
class GitAccess:
    """What a user has towards git's servers."""

    environment: Mapping[str, str]
    """For proxies and PATH; nothing else of it is passed on."""
    token: str = ""
    """For http and https, as `GIT_AUTH_TOKEN`."""
    ssh_socket: str = ""
    """Of an agent."""
    protocols: str = _PROTOCOLS


@dataclass(frozen=True, slots=True)
class Checkout:
    """A commit's files."""

    directory: Path
    commit: str
    key: str
    """Names the content: commit, submodules, and whether `.git` is there."""


class Repositories:
    """Checkouts below `root`, kept for the next time."""

    def __init__(self, root: Path) -> None:
        self._root = root

    async def resolve(self, reference: GitReference, access: GitAccess) -> str:
        """The commit that `reference` means now. Raises FilesError: no git, no such ref."""
        return await _Git(reference.remote, access, self._root).resolve(reference.ref)

    async def checkout(self, reference: GitReference, access: GitAccess, *, keep_git_dir: bool = False) -> Checkout:
        """The files of what `reference` means now. Raises FilesError: no git, no such ref, another commit than expected."""
        git = _Git(reference.remote, access, self._root)
        commit = await git.resolve(reference.ref)
        if not commit.startswith(reference.checksum):
            raise FilesError(
                Reason.CHECKSUM,
                f"`{git.shown}`: `{shown(reference.ref) or 'HEAD'}` is commit {commit}, not {reference.checksum}",
                path=reference.remote,
            )
        words = f"{reference.remote}\n{commit}\n{keep_git_dir}\n{reference.submodules}"
        key = hashlib.sha256(words.encode("utf-8", "surrogateescape")).hexdigest()
        made = self._root / key
        if not made.is_dir():
            with staging(self._root) as directory:
                await git.fetch(directory / "tree", commit, reference, keep_git_dir=keep_git_dir)
                with contextlib.suppress(OSError):  # somebody else was quicker
                    (directory / "tree").rename(made)
        return Checkout(made, commit, f"git:{commit}:{int(keep_git_dir)}{int(reference.submodules)}")


class _Git:
    def __init__(self, remote: str, access: GitAccess, home: Path) -> None:
        self._remote = remote
        self._environment = _environment(access, home)
        self.shown = redacted(remote) if "://" in remote else shown(remote)

    async def resolve(self, ref: str) -> str:
        """The commit that `ref` is at the other side."""
        if len(ref) in (40, 64) and not ref.strip("0123456789abcdef"):
            return ref
        wanted = ref or "HEAD"
        listed = await self._run(None, "ls-remote", "--", self._remote, wanted, f"{wanted}^{{}}")
        found = {name: commit for commit, _, name in (line.partition("\t") for line in listed.splitlines())}
        for name in (wanted, f"refs/heads/{wanted}", f"refs/tags/{wanted}"):
            # Of an annotated tag the commit, not the tag's own object.
            if commit := found.get(f"{name}^{{}}") or found.get(name):
                return commit
        raise FilesError(
            Reason.FETCH,
            f"`{self.shown}`: has no branch, tag or commit `{shown(wanted)}`",
            path=self._remote,
            hint="write a commit with all its digits",
        )

    async def fetch(self, tree: Path, commit: str, reference: GitReference, *, keep_git_dir: bool) -> None:
        """The commit's files into the new directory `tree`."""
        tree.mkdir(mode=0o755)
        await self._run(tree, "init", "--quiet", "--template=")
        await self._run(tree, "remote", "add", "--", "origin", self._remote)
        try:
            await self._run(tree, "fetch", "--quiet", "--depth=1", "--no-tags", "--", "origin", commit)
        except FilesError:
            # Servers need not give out single commits: then all there is, and the commit must be among it.
            await self._run(
                tree, "fetch", "--quiet", "--tags", "--force", "--", "origin", "+refs/heads/*:refs/remotes/origin/*"
            )
        await self._run(tree, "checkout", "--quiet", "--force", "--detach", commit, "--")
        if reference.submodules and (tree / ".gitmodules").is_file():
            await self._run(tree, "submodule", "--quiet", "update", "--init", "--recursive", "--depth=1")
        seconds = int((await self._run(tree, "show", "--no-patch", "--format=%ct", commit)).strip() or 0)
        await asyncio.to_thread(_settle, tree, seconds, keep_git_dir)

    async def _run(self, directory: Path | None, *arguments: str) -> str:
        """What git prints. Raises FilesError with what it complains of."""
        options = [word for setting in _SAFE for word in ("-c", setting)]
        try:
            process = await asyncio.create_subprocess_exec(
                "git",
                *options,
                *arguments,
                cwd=directory or "/",
                env=self._environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                limit=_MOST_OUTPUT,
                start_new_session=True,
            )
        except FileNotFoundError as error:
            raise FilesError(
                Reason.FETCH, f"`{self.shown}`: git is not installed", path=self._remote, hint="install git"
            ) from error
        try:
            output, complaint = await process.communicate()
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # git's helpers would live on
            await process.wait()
            raise
        if process.returncode:
            refused = b"Permission denied" in complaint and is_ssh(self._remote)
            hint = "give the build your agent: `ssh: [default]`, with the key added by `ssh-add`" if refused else ""
            raise FilesError(Reason.FETCH, f"`{self.shown}`: {_reason(complaint)}", path=self._remote, hint=hint)
        return output.decode("utf-8", "surrogateescape")


def _environment(access: GitAccess, home: Path) -> dict[str, str]:
    environment = {
        "PATH": access.environment.get("PATH") or os.defpath,
        "HOME": "/nonexistent",
        "LC_ALL": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "/bin/false",
        "GIT_ALLOW_PROTOCOL": access.protocols,
        "GIT_PROTOCOL_FROM_USER": "0",
        "GIT_SSH_COMMAND": (
            f"ssh -F /dev/null -o BatchMode=yes -o StrictHostKeyChecking=accept-new "
            f"-o UserKnownHostsFile='{home / 'known_hosts'}'"
        ),
    }
    environment |= {name: value for name, value in access.environment.items() if name.lower() in _PROXIES}
    if access.ssh_socket:
        environment["SSH_AUTH_SOCK"] = access.ssh_socket
    if access.token:
        # In the environment, not among the arguments: those are for everybody to see.
        secret = base64.b64encode(f"x-access-token:{access.token}".encode()).decode()
        environment |= {
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "http.extraHeader",
            "GIT_CONFIG_VALUE_0": f"Authorization: Basic {secret}",
        }
    return environment


def _settle(tree: Path, seconds: int, keep_git_dir: bool) -> None:
    """Take `.git` away and give everything the commit's time; directories last, deepest first."""
    if not keep_git_dir:
        delete_tree(tree / ".git")
    for parent, directories, files, descriptor in os.fwalk(tree, topdown=False, follow_symlinks=False):
        if not keep_git_dir and ".git" in files and Path(parent) != tree:  # a submodule's
            os.unlink(".git", dir_fd=descriptor)
            files = [name for name in files if name != ".git"]
        for name in (*files, *directories):
            os.utime(name, (seconds, seconds), dir_fd=descriptor, follow_symlinks=False)
    os.utime(tree, (seconds, seconds))


def _reason(complaint: bytes) -> str:
    """The first line in which git complains, or what ssh said before that, shown safely."""
    lines = [line for line in complaint.decode(errors="replace").splitlines() if line.strip()]
    chosen = next((line for line in lines if line.startswith(("fatal:", "error:"))), lines[-1] if lines else "")
    if chosen.startswith("fatal: Could not read from remote") and (before := lines[: lines.index(chosen)]):
        chosen = before[-1]
    return shown(chosen.removeprefix("fatal: ").removeprefix("error: "))[:_LONGEST_REASON] or "git failed"
