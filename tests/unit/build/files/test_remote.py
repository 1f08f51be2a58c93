import asyncio
import gzip
import os
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from composer.build.files import (
    ContentCache,
    CopyOptions,
    FilesError,
    GitAccess,
    Reason,
    RemoteContext,
    Remotes,
    Selection,
    copy,
    open_context,
)
from composer.registry.access import Access
from composer.registry.transport import HttpTransport
from tests.fakes.clock import FakeClock
from tests.unit.build.files.servers import Web, commit, git, git_daemon, repository, web
from tests.unit.build.files.test_unpack import tar
from tests.unit.build.files.trees import OWNERSHIP, look

T = TypeVar("T")
FILE, DIRECTORY = "-rw-r--r--", "drwxr-xr-x"


class Lab:
    def __init__(self, path: Path, contents: ContentCache) -> None:
        self.path = path
        self.contents = contents
        self.access = Access.of({"HOME": str(path), "PATH": os.environ["PATH"]})
        self.git = GitAccess({"PATH": os.environ["PATH"]})
        self.count = 0

    def run(self, act: Callable[[Remotes], Awaitable[T]]) -> T:
        async def inside() -> T:
            transport = HttpTransport()
            try:
                clock = FakeClock()
                return await act(Remotes(self.path / "remotes", self.contents, OWNERSHIP, transport, clock))
            finally:
                await transport.close()

        return asyncio.run(inside())

    def add(self, source: str, **options: object) -> Selection:
        return self.run(lambda remotes: remotes.add(source, self.access, self.git, **options))  # type: ignore[arg-type]

    def context(self, source: str) -> RemoteContext:
        return self.run(lambda remotes: remotes.context(source, self.access, self.git))

    def copied(self, selection: Selection, to: str = "/out/") -> Path:
        self.count += 1
        upper = self.path / f"upper{self.count}"
        upper.mkdir()
        copy([selection], upper, [], to, OWNERSHIP, CopyOptions())
        return upper


@pytest.fixture
def lab(tmp_path: Path, contents: ContentCache) -> Lab:
    return Lab(tmp_path, contents)


@pytest.fixture
def site() -> Iterator[Web]:
    with web() as running:
        yield running


def test_a_file_from_an_address(lab: Lab, site: Web) -> None:
    url = site.put("/a/tool.txt", b"hello", Last_Modified="Tue, 02 Jan 2024 03:04:05 GMT")

    upper = lab.copied(lab.add(url))

    assert look(upper)["out/tool.txt"] == "-rw------- hello"
    assert (upper / "out/tool.txt").stat().st_mtime == 1704164645


def test_an_address_without_a_name_and_time(lab: Lab, site: Web) -> None:
    upper = lab.copied(lab.add(site.put("/", b"x")))

    assert look(upper)["out/__unnamed__"] == "-rw------- x"
    assert (upper / "out/__unnamed__").stat().st_mtime == 0


def test_what_has_not_changed_is_not_sent_again(lab: Lab, site: Web) -> None:
    url = site.put("/f", b"one", ETag='"1"')
    first = lab.add(url).digest
    again = lab.add(url).digest

    assert site.asked[1][1]["If-None-Match"] == '"1"'
    assert again == first
    site.put("/f", b"two", ETag='"2"')
    assert lab.add(url).digest != first


def test_a_checksum_needs_no_request_once_the_content_is_here(lab: Lab, site: Web) -> None:
    url = site.put("/f", b"hello")
    checksum = "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"

    assert lab.add(url, checksum=checksum).digest == lab.add(url, checksum=checksum).digest
    assert len(site.asked) == 1


@pytest.mark.parametrize(
    ("checksum", "words"),
    [
        ("sha256:" + "0" * 64, "has the checksum sha256:2cf24dba"),
        ("sha512:" + "0" * 128, "has the checksum sha512:9b71d224"),
        ("md5:" + "0" * 32, "is no checksum"),
        ("sha256:xyz", "is no checksum"),
        ("nothing", "is no checksum"),
    ],
)
def test_another_checksum_is_an_error(lab: Lab, site: Web, checksum: str, words: str) -> None:
    url = site.put("/f", b"hello")

    with pytest.raises(FilesError, match=words) as failure:
        lab.add(url, checksum=checksum)
    assert failure.value.reason is Reason.CHECKSUM


def test_redirects_are_followed_and_passwords_not_passed_on(lab: Lab, site: Web) -> None:
    site.put("/real", b"x")
    site.answers["/first"] = (302, {"Location": f"http://localhost:{site.port}/real"}, b"")

    selection = lab.add(site.url("/first", "me:secret@"))

    assert selection.items[0].name == "first"
    assert site.asked[0][1]["Authorization"].startswith("Basic ")
    assert "Authorization" not in site.asked[1][1]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((404, {}, b""), "status 404"),
        ((302, {"Location": "file:///etc/passwd"}, b""), "neither http nor https"),
        ((302, {"Location": "/f"}, b""), "in circles"),
        ((302, {"Location": "http://["}, b""), "what is no address"),
        ((503, {}, b""), "status 503"),
        ((200, {"Content-Length": "100"}, b"short"), "broke off"),
    ],
)
def test_what_a_server_may_say_wrong(
    lab: Lab, site: Web, answer: tuple[int, dict[str, str], bytes], words: str
) -> None:
    site.answers["/f"] = answer

    with pytest.raises(FilesError, match=words) as failure:
        lab.add(site.url("/f", "me:secret@"))
    assert failure.value.reason is Reason.FETCH
    assert "secret" not in failure.value.message


def test_nobody_at_an_address_is_an_error(lab: Lab, site: Web) -> None:
    with pytest.raises(FilesError, match="connection refused"):
        lab.add("http://127.0.0.1:1/f")


def test_an_archive_from_an_address_is_unpacked_only_if_asked(lab: Lab, site: Web) -> None:
    url = site.put("/f.tar.gz", gzip.compress(tar(("a", "a"))))

    assert sorted(look(lab.copied(lab.add(url)))) == ["out", "out/f.tar.gz"]
    assert sorted(look(lab.copied(lab.add(url, unpack=True)))) == ["out", "out/a"]
    assert lab.add(url).digest != lab.add(url, unpack=True).digest


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[str]:
    repository(tmp_path / "git/web", {"a.txt": "one", "sub/b.txt": "b", "run": "#!", "link": "-> /etc/passwd"})
    (tmp_path / "git/web/run").chmod(0o755)
    commit(tmp_path / "git/web", {})
    git(tmp_path / "git/web", "tag", "-a", "v1", "-m", "one")
    commit(tmp_path / "git/web", {"a.txt": "two"})
    git(tmp_path / "git/web", "branch", "side")
    with git_daemon(tmp_path / "git") as address:
        yield address


def test_a_repository(lab: Lab, daemon: str) -> None:
    upper = lab.copied(lab.add(f"{daemon}/web"))

    assert look(upper / "out") == {
        "a.txt": f"{FILE} two",
        "link": "link /etc/passwd",
        "run": "-rwxr-xr-x #!",
        "sub": DIRECTORY,
        "sub/b.txt": f"{FILE} b",
    }
    assert (upper / "out/a.txt").stat().st_mtime == 1704164645


@pytest.mark.parametrize("ref", ["v1", "refs/tags/v1"])
def test_a_tag_means_its_commit(lab: Lab, daemon: str, ref: str) -> None:
    assert look(lab.copied(lab.add(f"{daemon}/web#{ref}")))["out/a.txt"] == f"{FILE} one"


def test_a_directory_of_a_repository(lab: Lab, daemon: str) -> None:
    assert look(lab.copied(lab.add(f"{daemon}/web#side:sub"))) == {"out": DIRECTORY, "out/b.txt": f"{FILE} b"}
    with pytest.raises(FilesError, match="no such file"):
        lab.add(f"{daemon}/web#side:nothing")


def test_a_commit_and_a_checksum(lab: Lab, daemon: str, tmp_path: Path) -> None:
    old = git(tmp_path / "git/web", "rev-parse", "HEAD~1")

    assert look(lab.copied(lab.add(f"{daemon}/web#{old}")))["out/a.txt"] == f"{FILE} one"
    assert lab.add(f"{daemon}/web#v1", checksum=old).digest == lab.add(f"{daemon}/web#{old}").digest
    with pytest.raises(FilesError, match="is commit") as failure:
        lab.add(f"{daemon}/web#side", checksum=old)
    assert failure.value.reason is Reason.CHECKSUM


def test_the_git_directory_is_kept_if_asked(lab: Lab, daemon: str) -> None:
    kept = lab.add(f"{daemon}/web", keep_git_dir=True)

    assert "out/.git/HEAD" in look(lab.copied(kept))
    assert lab.add(f"{daemon}/web?keep-git-dir=true").digest == kept.digest
    assert lab.add(f"{daemon}/web").digest != kept.digest


def test_what_is_not_in_a_repository_is_an_error(lab: Lab, daemon: str) -> None:
    with pytest.raises(FilesError, match="has no branch, tag or commit `nothing`"):
        lab.add(f"{daemon}/web#nothing")
    with pytest.raises(FilesError, match=r"`git://127\.0\.0\.1"):
        lab.add(f"{daemon}/other")


def test_a_submodule_is_fetched_but_never_from_this_machine(lab: Lab, daemon: str, tmp_path: Path) -> None:
    repository(tmp_path / "git/lib", {"lib.txt": "lib"})
    repository(tmp_path / "git/good", {})
    git(tmp_path / "git/good", "submodule", "add", "--quiet", f"{daemon}/lib", "lib")
    commit(tmp_path / "git/good", {})
    repository(tmp_path / "git/evil", {})
    git(tmp_path / "git/evil", "submodule", "add", "--quiet", str(tmp_path / "git/lib"), "lib")
    commit(tmp_path / "git/evil", {})

    assert sorted(look(lab.copied(lab.add(f"{daemon}/good")))) == [
        "out",
        "out/.gitmodules",
        "out/lib",
        "out/lib/lib.txt",
    ]
    assert sorted(look(lab.copied(lab.add(f"{daemon}/good?submodules=false")))) == ["out", "out/.gitmodules", "out/lib"]
    with pytest.raises(FilesError, match="transport 'file' not allowed"):
        lab.add(f"{daemon}/evil")


def test_hooks_and_filters_of_a_repository_do_not_run(lab: Lab, daemon: str, tmp_path: Path) -> None:
    proof = tmp_path / "proof"
    files = {".gitattributes": "* filter=evil\n", ".gitconfig": f'[filter "evil"]\nsmudge = touch {proof}\n', "a": "a"}
    source = repository(tmp_path / "git/hooked", files)
    (source / ".githooks").mkdir()
    (source / ".githooks/post-checkout").write_text(f"#!/bin/sh\ntouch {proof}\n")
    (source / ".githooks/post-checkout").chmod(0o755)
    commit(source, {})

    lab.add(f"{daemon}/hooked")

    assert not proof.exists()


def test_a_repository_as_a_context(lab: Lab, daemon: str) -> None:
    assert sorted(look(lab.context(f"{daemon}/web#v1:sub").directory)) == ["b.txt"]
    with pytest.raises(FilesError, match="has no directory `nothing`"):
        lab.context(f"{daemon}/web#v1:nothing")


def test_the_directory_of_a_context_never_leads_out(lab: Lab, daemon: str, tmp_path: Path) -> None:
    repository(tmp_path / "git/out", {"etc": "-> /etc", "up": "-> ../../../.."})

    with pytest.raises(FilesError, match="has no directory `etc`"):
        lab.context(f"{daemon}/out#:etc")
    assert "etc" in look(lab.context(f"{daemon}/out#:up").directory)
    assert "passwd" not in look(lab.context(f"{daemon}/out#:../../..").directory)


def test_an_archive_as_a_context(lab: Lab, site: Web, tmp_path: Path) -> None:
    data = gzip.compress(tar(("Dockerfile", "FROM scratch"), ("src/a", "a")))
    (tmp_path / "context.tgz").write_bytes(data)

    from_address = lab.context(site.put("/context", data))

    async def at_hand(remotes: Remotes) -> tuple[RemoteContext, RemoteContext]:
        return remotes.archive(tmp_path / "context.tgz"), remotes.data(data)

    assert lab.run(at_hand) == (from_address, from_address)
    assert open_context(from_address.directory, lab.contents).resolve("src/a").entry


def test_a_dockerfile_alone_as_a_context(lab: Lab, site: Web) -> None:
    context = lab.context(site.put("/Dockerfile", b"FROM scratch\n"))

    assert (context.dockerfile, look(context.directory)) == ("FROM scratch\n", {})


def test_a_context_that_is_nothing_of_these_is_an_error(lab: Lab, site: Web) -> None:
    with pytest.raises(FilesError, match="neither an archive nor a Dockerfile"):
        lab.context(site.put("/x", b"\0binary"))
    with pytest.raises(FilesError, match="leads out"):
        lab.context(site.put("/y", tar(("../../evil", "x"))))


def test_what_nobody_uses_is_forgotten(lab: Lab, site: Web, tmp_path: Path) -> None:
    kept, old = site.put("/kept", b"kept"), site.put("/old", b"old" * 100_000)
    lab.add(old)
    lab.context(site.put("/context", tar(("a", "a" * 100_000))))
    for path in (tmp_path / "remotes").rglob("*"):
        os.utime(path, (1000, 1000))
    lab.add(kept)

    async def forget(remotes: Remotes) -> tuple[int, int]:
        return remotes.forget(2000), remotes.size()

    freed, left = lab.run(forget)

    assert freed >= 300_000
    assert left < 100_000
    assert look(lab.copied(lab.add(kept)))["out/kept"] == "-rw------- kept"
    assert look(lab.copied(lab.add(old)))["out/old"] == "-rw------- " + "old" * 100_000


SSH = """#!/bin/sh
# Plays ssh: notes what it is asked and with which agent, and runs the command here.
printf '%s\\n' "agent $SSH_AUTH_SOCK" "$@" >> "{log}"
for last; do :; done
exec sh -c "$last"
"""


def test_a_repository_behind_ssh_is_reached_with_the_user_s_agent_alone(lab: Lab, daemon: str, tmp_path: Path) -> None:
    log, programs = tmp_path / "log", tmp_path / "programs"
    programs.mkdir()
    (programs / "ssh").write_text(SSH.format(log=log))
    (programs / "ssh").chmod(0o755)
    lab.git = GitAccess({"PATH": f"{programs}:{os.environ['PATH']}"}, ssh_socket="/the/agent")
    place = str(tmp_path / "git/web")

    for address in (f"git@example.com:{place}", f"ssh://git@example.com:2222{place}"):
        context = lab.context(f"{address}#main:sub")
        assert (context.directory / "b.txt").read_text() == "b"

    asked = log.read_text().splitlines()
    assert {line for line in asked if line.startswith("agent")} == {"agent /the/agent"}
    assert {"-F", "/dev/null", "BatchMode=yes", "git@example.com", "2222"} <= set(asked)
    assert f"UserKnownHostsFile={tmp_path}" in "\n".join(asked)


def test_what_ssh_says_is_passed_on(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "ssh").write_text("#!/bin/sh\necho 'git@example.com: Permission denied (publickey).' >&2\nexit 255\n")
    (tmp_path / "ssh").chmod(0o755)
    lab.git = GitAccess({"PATH": f"{tmp_path}:{os.environ['PATH']}"})

    with pytest.raises(FilesError, match="Permission denied") as failure:
        lab.context("git@example.com:owner/repo.git")
    assert "`ssh: [default]`" in failure.value.hint
