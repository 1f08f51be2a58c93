"""One lock, many machines: everybody runs what was locked, however tags move meanwhile."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import threading
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.e2e.harness import Engine, Project, eventually
from tests.e2e.registries import busybox_image
from tests.make.image import Made, entry, tar
from tests.make.registry import Registry, running_registry


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    with running_registry(tmp_path / "registry") as registry:
        yield registry


@pytest.fixture
def colleague() -> Iterator[Engine]:
    """A second machine, as far as composer can tell: another data root, another engine."""
    engine = Engine()
    yield engine
    assert engine.close() == []


@contextmanager
def file_server(directory: Path) -> Iterator[str]:
    """A web server on loopback with the files of a directory; its address."""
    handler = partial(SimpleHTTPRequestHandler, directory=str(directory))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def one_service(engine: Engine, reference: str) -> Project:
    return engine.project(f"services:\n  web:\n    image: {reference}\n")


def clone(project: Project, engine: Engine) -> Project:
    """The same files on another machine."""
    directory = engine.home / project.directory.name
    shutil.copytree(project.directory, directory)
    engine._projects.add(project.directory.name)
    return Project(engine, directory)


def locked(project: Project) -> dict[str, dict[str, object]]:
    images: dict[str, dict[str, object]] = tomllib.loads((project.directory / "compose.lock").read_text())["image"]
    return images


def test_a_tag_that_moves_changes_nothing_for_whoever_has_the_lock(
    engine: Engine, colleague: Engine, registry: Registry, tmp_path: Path
) -> None:
    reference = registry.push(busybox_image(tmp_path), "web:1")
    shop = one_service(engine, reference)
    before = (shop.directory / "compose.yaml").read_bytes()
    shop.compose("lock", check=True)
    shop.up()
    registry.push(busybox_image(tmp_path, greeting="moved"), "web:1")

    theirs = clone(shop, colleague)
    theirs.up("--locked")
    shop.compose("pull", check=True)
    again = shop.up("--pull", "always")
    assert len(theirs.compose("image", "ls", "-q", check=True).lines()) == 1
    (line,) = theirs.compose("image", "ls", check=True).lines()[1:]
    theirs.compose("image", "pull", "-q", reference, check=True)  # somebody else on that machine follows the tag
    assert line.split()[2] in theirs.compose("images", check=True).stdout
    theirs.up("--locked")

    assert shop.exec("web", "cat", "/greeting").stdout == theirs.exec("web", "cat", "/greeting").stdout == "hello\n"
    assert "Recreated" not in again.stderr
    assert shop.container("web")["Image"] == theirs.container("web")["Image"] == reference
    assert theirs.compose("run", "--rm", "-T", "web", "cat", "/greeting", check=True).stdout == "hello\n"
    assert (shop.directory / "compose.yaml").read_bytes() == before


def test_an_update_moves_on_purpose_and_tells_what_it_did(engine: Engine, registry: Registry, tmp_path: Path) -> None:
    reference = registry.push(busybox_image(tmp_path), "web:1")
    shop = one_service(engine, reference)
    first = shop.compose("lock", check=True)
    old = str(locked(shop)[reference]["digest"])
    assert f"+ {reference}  {old[:19]}" in first.stdout
    assert shop.compose("lock", check=True).stdout == "compose.lock is up to date\n"
    registry.push(busybox_image(tmp_path, greeting="moved"), "web:1")
    assert shop.compose("lock", check=True).stdout == "compose.lock is up to date\n"
    shop.up()

    update = shop.compose("lock", "--update", "web", check=True)

    new = str(locked(shop)[reference]["digest"])
    assert f"~ {reference}  {old[:19]} → {new[:19]}" in update.stdout
    assert "Recreated" in shop.up().stderr
    assert shop.exec("web", "cat", "/greeting").stdout == "moved\n"


def test_locked_refuses_what_the_lock_lacks(engine: Engine, registry: Registry, tmp_path: Path) -> None:
    reference = registry.push(busybox_image(tmp_path), "web:1")
    shop = one_service(engine, reference)

    without = shop.compose("up", "-d", "--locked")
    assert without.code == 1
    assert "there is no `compose.lock`" in without.stderr
    shop.compose("lock", check=True)
    assert shop.compose("lock", "--check").code == 0
    shop.write(f"services:\n  web:\n    image: {reference}\n  db:\n    image: {registry.name}/db:1\n")

    for command in (("--locked", "up", "-d"), ("up", "-d", "--locked"), ("pull", "--locked"), ("create", "--locked")):
        refused = shop.compose(*command)
        assert refused.code == 1
        assert f"compose.lock has nothing for `{registry.name}/db:1`, which `db` needs" in refused.stderr
        assert "compose.yaml:5:12" in refused.stderr
        assert "hint: `compose lock`" in refused.stderr
    check = shop.compose("lock", "--check")
    assert check.code == 1
    assert "compose.lock has nothing for" in check.stderr


@pytest.mark.parametrize(
    ("damage", "words", "line"),
    [
        (("digest =", "<<<<<<< HEAD\ndigest ="), "a merge has left a conflict in it", 6),
        (("version = 1", "version = 2"), "it has version 2, this composer knows 1", 3),
        (('digest = "sha256:', 'digest = "sha256:x'), "expected 64 lower-case hexadecimal digits", 6),
        (("digest =", "digest"), "expected '=' after a key", 6),
    ],
)
def test_a_damaged_lock_is_told_with_its_line(
    engine: Engine, registry: Registry, tmp_path: Path, damage: tuple[str, str], words: str, line: int
) -> None:
    shop = one_service(engine, registry.push(busybox_image(tmp_path), "web:1"))
    shop.compose("lock", check=True)
    path = shop.directory / "compose.lock"
    text = path.read_text()
    path.write_text(text.replace(*damage))

    for command in (("up", "-d"), ("lock",), ("lock", "--check"), ("lock", "--diff")):
        result = shop.compose(*command)
        assert result.code != 0
        assert "Traceback" not in result.output
    assert shop.compose("lock", "--check").code == 1
    up = shop.compose("up", "-d")

    assert words in up.stderr
    assert f"compose.lock:{line}:" in up.stderr


def test_a_lock_whose_digests_are_wrong_starts_nothing(engine: Engine, registry: Registry, tmp_path: Path) -> None:
    reference = registry.push(busybox_image(tmp_path), "web:1")
    shop = one_service(engine, reference)
    shop.compose("lock", check=True)
    path = shop.directory / "compose.lock"
    digest = str(locked(shop)[reference]["digest"])
    text = path.read_text()

    path.write_text(text.replace(digest, f"sha256:{'0' * 64}"))
    unknown = shop.compose("up", "-d")
    head, platforms = text.split(".platforms]")
    path.write_text(head + ".platforms]" + platforms.replace(digest, f"sha256:{'0' * 64}"))
    lying = shop.compose("up", "-d")

    assert unknown.code == lying.code == 1
    assert "no such tag or digest" in unknown.stderr
    assert "compose.lock:5 locks" in lying.stderr
    assert shop.ps() == {}


def test_the_embedded_image_cannot_be_locked(engine: Engine) -> None:
    shop = one_service(engine, "host")

    refused = shop.compose("lock")

    assert refused.code == 1
    assert "cannot lock `host`: it is made of this machine's own programs" in refused.stderr
    assert "compose.yaml:3:12" in refused.stderr
    assert not (shop.directory / "compose.lock").exists()


def test_what_a_registry_does_not_have_is_told_all_at_once(engine: Engine, registry: Registry) -> None:
    shop = engine.project(
        f"services:\n  a:\n    image: {registry.name}/a:1\n  b:\n    image: {registry.name}/b:1\n    profiles: [x]\n"
    )

    refused = shop.compose("lock")

    assert refused.code == 1
    assert f"cannot lock `{registry.name}/a:1`" in refused.stderr
    assert f"cannot lock `{registry.name}/b:1`" in refused.stderr
    assert not (shop.directory / "compose.lock").exists()


def with_packages(scratch: Path, openssl: str, greeting: str = "hello") -> Made:
    """A busybox image with what dpkg and npm would have left in it."""
    status = f"Package: openssl\nStatus: install ok installed\nArchitecture: amd64\nVersion: {openssl}\n"
    layer = tar(
        entry("var/lib/dpkg/status", status.encode()),
        entry("app/node_modules/semver/package.json", b'{"name": "semver", "version": "7.5.4"}'),
    )
    return busybox_image(scratch, layer, greeting=greeting)


def git(project: Project, *arguments: str) -> None:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", "-C", str(project.directory), *identity, *arguments], check=True, capture_output=True)


def test_a_review_shows_which_packages_moved(engine: Engine, registry: Registry, tmp_path: Path) -> None:
    reference = registry.push(with_packages(tmp_path, "3.0.15-1"), "web:1")
    shop = one_service(engine, reference)
    shop.compose("lock", "--packages", check=True)
    assert 'openssl = "3.0.15-1"' in (shop.directory / "compose.lock").read_text()
    assert shop.compose("lock", check=True).stdout == "compose.lock is up to date\n"
    git(shop, "init", "-q")
    git(shop, "add", ".")
    git(shop, "commit", "-qm", "lock")
    registry.push(with_packages(tmp_path, "3.0.17-1", "again"), "web:1")

    shop.compose("lock", "--update", check=True)  # packages are recorded on, once they were
    diff = shop.compose("lock", "--diff", check=True)

    assert diff.stdout.startswith(f"~ {reference}  sha256:")
    assert "→" in diff.stdout.splitlines()[0]
    assert "    debian  openssl  3.0.15-1 → 3.0.17-1\n" in diff.stdout
    assert "semver" not in diff.stdout
    assert shop.compose("lock", "--diff", "HEAD~1").code == 1
    assert shop.compose("lock", "--check").code == 0
    git(shop, "commit", "-qam", "update")
    assert shop.compose("lock", "--diff", check=True).stdout == ""
    assert "- openssl" not in shop.compose("lock", "--no-packages", check=True).stdout
    assert "packages" not in (shop.directory / "compose.lock").read_text()


def test_the_toolchain_is_what_the_lock_says_until_somebody_changes_it(
    engine: Engine, registry: Registry, tmp_path: Path
) -> None:
    reference = registry.push(with_packages(tmp_path, "3.0.15-1"), "web:1")
    shop = one_service(engine, reference)
    assert "there is no `compose.lock`" in shop.compose("toolchain").stderr
    shop.compose("lock", "--packages", check=True)
    shop.up()

    same = shop.compose("toolchain", check=True)
    shop.exec("web", "sed", "-i", "s/3.0.15/3.0.99/", "/var/lib/dpkg/status")
    changed = shop.compose("toolchain", "--quiet")
    registry.push(busybox_image(tmp_path, greeting="again"), "web:1")
    shop.compose("lock", "--update", check=True)
    other = shop.compose("toolchain", "--format", "json")

    assert "debian  openssl  3.0.15-1\n" in same.stdout
    assert "as locked" in same.stdout
    assert changed.code == other.code == 1
    assert "changed inside" in changed.stdout
    assert "debian  openssl  3.0.15-1 → 3.0.99-1\n" in changed.stdout
    assert json.loads(other.stdout)["containers"][0]["state"] == "another image"


def test_a_dockerfiles_bases_are_locked_and_locked_tells_what_is_new(
    engine: Engine, registry: Registry, tmp_path: Path
) -> None:
    base = registry.push(busybox_image(tmp_path), "base:1")
    shop = engine.project(
        "services:\n  web:\n    build: {context: web, args: {TAG: '1'}}\n",
        files={"web/Dockerfile": f"ARG TAG\nFROM {registry.name}/base:$TAG\n"},
    )
    shop.compose("lock", check=True)
    assert locked(shop)[base]["used_by"] == ["web/Dockerfile"]
    assert shop.compose("lock", "--check").code == 0
    (shop.directory / "web/Dockerfile").write_text(f"FROM {base}\nCOPY --from={registry.name}/tools:2 / /\n")

    check = shop.compose("lock", "--check")

    assert check.code == 1
    assert f"compose.lock has nothing for `{registry.name}/tools:2`, which `web/Dockerfile` needs" in check.stderr
    assert "web/Dockerfile:2:1" in check.stderr


def test_what_another_service_builds_is_no_business_of_the_lock(
    engine: Engine, registry: Registry, tmp_path: Path
) -> None:
    base = registry.push(busybox_image(tmp_path), "base:1")
    services = """
    services:
      base: {image: "my/base:1", build: {dockerfile_inline: "FROM BASE"}}
      web: {build: {dockerfile_inline: "FROM my/base:1"}}
      api: {build: {dockerfile_inline: "FROM lib", additional_contexts: {lib: "service:base"}}}
    """
    shop = engine.project(services.replace("BASE", base))
    shop.compose("lock", check=True)

    shop.compose("build", "--locked", "web", check=True)
    shop.compose("build", "--locked", "--pull", check=True)
    assert list(locked(shop)) == [base]


def test_a_build_stands_on_what_is_locked_on_every_machine(
    engine: Engine, colleague: Engine, registry: Registry, tmp_path: Path
) -> None:
    base = registry.push(busybox_image(tmp_path), "base:1")
    compose = "services:\n  web:\n    build: .\n    command: sleep 1000\n    stop_signal: KILL\n"
    shop = engine.project(compose, files={"Dockerfile": f"FROM {base}\nRUN cp /greeting /copied\n"})
    shop.compose("lock", check=True)
    registry.push(busybox_image(tmp_path, greeting="moved"), "base:1")
    theirs = clone(shop, colleague)

    shop.up("--locked")
    theirs.compose("build", "--locked", "--pull", check=True)
    theirs.up()

    assert shop.exec("web", "cat", "/copied").stdout == theirs.exec("web", "cat", "/copied").stdout == "hello\n"
    assert "Built" not in shop.up().stderr
    shop.compose("lock", "--update", check=True)
    plan = shop.compose("up", "--dry-run", check=True).stdout
    assert f"build/web  ({base} changed)" in plan
    shop.up("--locked")
    assert shop.exec("web", "cat", "/copied").stdout == "moved\n"


def test_what_is_not_locked_yet_is_pulled_with_a_warning(engine: Engine, registry: Registry, tmp_path: Path) -> None:
    reference = registry.push(busybox_image(tmp_path), "web:1")
    other = registry.push(busybox_image(tmp_path, greeting="other"), "other:1")
    shop = one_service(engine, reference)
    shop.compose("lock", check=True)
    shop.write(f"services:\n  web:\n    image: {other}\n")

    up = shop.up()

    assert f"warning: compose.lock has nothing for `{other}`, which `web` needs" in up.stderr
    assert shop.container("web")["State"] == "running"


def test_config_pins_images_to_digests_as_docker_compose_does(
    engine: Engine, registry: Registry, tmp_path: Path
) -> None:
    reference = registry.push(busybox_image(tmp_path), "web:1")
    shop = one_service(engine, reference)
    override = shop.compose("config", "--lock-image-digests", check=True).stdout
    shop.compose("lock", check=True)
    digest = str(locked(shop)[reference]["digest"])
    registry.push(busybox_image(tmp_path, greeting="moved"), "web:1")

    assert override == f"services:\n  web:\n    image: {reference}@{digest}\n"
    assert f"    image: {reference}@{digest}\n" in shop.compose("config", "--resolve-image-digests", check=True).stdout
    (shop.directory / "compose.lock").unlink()
    now = shop.compose("config", "--resolve-image-digests", "--format", "json", check=True).stdout
    assert json.loads(now)["services"]["web"]["image"].startswith(f"{reference}@sha256:")
    assert digest not in now
    shop.write(f"services:\n  web:\n    image: {registry.name}/nothing:1\n")
    refused = shop.compose("config", "--resolve-image-digests")
    assert refused.code == 1
    assert f"cannot resolve `{registry.name}/nothing:1`" in refused.stderr
    assert "compose.yaml:3:12" in refused.stderr


def test_downloads_and_repositories_of_dockerfiles_are_locked(engine: Engine, tmp_path: Path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    (site / "tool.tar.gz").write_bytes(b"tool")
    repository = tmp_path / "site/lib.git"
    subprocess.run(["git", "init", "-q", "-b", "main", str(tmp_path / "lib")], check=True)
    library = Project(engine, tmp_path / "lib")
    (library.directory / "version").write_text("locked")
    git(library, "add", ".")
    git(library, "commit", "-q", "-m", "x")
    subprocess.run(["git", "clone", "-q", "--bare", str(library.directory), str(repository)], check=True)
    subprocess.run(["git", "-C", str(repository), "update-server-info"], check=True)
    with file_server(site) as address:
        text = f"FROM scratch\nADD {address}/tool.tar.gz /\nADD {address}/lib.git#main /lib\n"
        shop = engine.project("services:\n  web: {build: .}\n", files={"Dockerfile": text})

        shop.compose("lock", check=True)
        (site / "tool.tar.gz").write_bytes(b"other")
        (library.directory / "version").write_text("moved")
        git(library, "commit", "-qam", "y")
        subprocess.run(["git", "-C", str(repository), "fetch", "-q", str(library.directory), "main:main"], check=True)
        subprocess.run(["git", "-C", str(repository), "update-server-info"], check=True)
        before = tomllib.loads((shop.directory / "compose.lock").read_text())
        stale = shop.compose("build", "--locked")
        (site / "tool.tar.gz").write_bytes(b"tool")
        built = shop.compose("build", "--locked")
        (site / "tool.tar.gz").write_bytes(b"other")
        update = shop.compose("lock", "--update", check=True)
        after = tomllib.loads((shop.directory / "compose.lock").read_text())

    assert stale.code == 17
    assert "has the checksum sha256:" in stale.stderr
    assert "Dockerfile:2" in stale.stderr
    assert built.code == 0, str(built)
    assert {each.read_text() for each in engine.data.glob("snapshots/*/fs/lib/version")} == {"locked"}
    url, reference = f"{address}/tool.tar.gz", f"{address}/lib.git#main"
    assert before["download"][url]["checksum"] == f"sha256:{hashlib.sha256(b'tool').hexdigest()}"
    assert after["download"][url]["checksum"] == f"sha256:{hashlib.sha256(b'other').hexdigest()}"
    old, new = before["git"][reference]["commit"], after["git"][reference]["commit"]
    assert old != new
    assert f"~ {reference}  {old[:12]} → {new[:12]}" in update.stdout
    assert shop.compose("lock", "--check").code == 0


def published(directory: Path, site: Path, engine: Engine) -> None:
    """Have the files of `directory` as the newest commit of `app.git`, on a site that serves files only."""
    repository = site / "app.git"
    if not repository.exists():
        subprocess.run(["git", "init", "-q", "-b", "main", directory], check=True)
        subprocess.run(["git", "init", "-q", "-b", "main", "--bare", repository], check=True)
    project = Project(engine, directory)
    git(project, "add", ".")
    git(project, "commit", "-q", "-m", "x")
    subprocess.run(["git", "-C", repository, "fetch", "-q", directory, "+main:main"], check=True)
    subprocess.run(["git", "-C", repository, "update-server-info"], check=True)


@pytest.mark.soak
def test_the_bases_of_a_dockerfile_in_a_repository_are_locked(
    engine: Engine, registry: Registry, tmp_path: Path
) -> None:
    base = registry.push(busybox_image(tmp_path), "base:1")
    other = registry.push(busybox_image(tmp_path, greeting="other"), "other:1")
    site, source = tmp_path / "site", tmp_path / "app"
    (source / "web").mkdir(parents=True)
    site.mkdir()
    (source / "web/Dockerfile").write_text(f"FROM {base}\nRUN cp /greeting /built\n")
    published(source, site, engine)
    with file_server(site) as address:
        url = f"{address}/app.git#main:web"
        shop = engine.project(f'services:\n  web: {{build: "{url}"}}\n')
        shop.compose("lock", check=True)
        locked = tomllib.loads((shop.directory / "compose.lock").read_text())
        registry.push(busybox_image(tmp_path, greeting="moved"), "base:1")
        checked = shop.compose("lock", "--check")
        again = shop.compose("lock", check=True)
        shop.compose("build", "--locked", check=True)
        (source / "web/Dockerfile").write_text(f"FROM {other}\n")
        published(source, site, engine)
        shop.compose("lock", "--update", check=True)

    assert locked["image"][base]["used_by"] == [f"Dockerfile of {url}"]
    assert checked.code == 0, str(checked)
    assert "up to date" in again.stdout
    assert {each.read_text() for each in engine.data.glob("snapshots/*/fs/built")} == {"hello\n"}
    assert list(tomllib.loads((shop.directory / "compose.lock").read_text())["image"]) == [other]


def test_an_archive_as_a_context_is_locked_with_what_its_dockerfile_builds_upon(
    engine: Engine, colleague: Engine, registry: Registry, tmp_path: Path
) -> None:
    base = registry.push(busybox_image(tmp_path), "base:1")
    site = tmp_path / "site"
    site.mkdir()
    archive, alone = site / "app.tar", site / "Dockerfile"
    archive.write_bytes(tar(entry("Dockerfile", f"FROM {base}\nRUN cp /greeting /built\n".encode())))
    alone.write_text(f"FROM {base}\nRUN cp /greeting /alone\n")
    with file_server(site) as address:
        urls = [f"{address}/Dockerfile", f"{address}/app.tar"]
        shop = engine.project(f'services:\n  one: {{build: "{urls[0]}"}}\n  web: {{build: "{urls[1]}"}}\n')
        shop.compose("lock", check=True)
        locked = tomllib.loads((shop.directory / "compose.lock").read_text())
        registry.push(busybox_image(tmp_path, greeting="moved"), "base:1")
        checked = shop.compose("lock", "--check")
        again = shop.compose("lock", check=True)
        shop.compose("build", "--locked", check=True)
        archive.write_bytes(tar(entry("Dockerfile", b"FROM scratch\n")))
        shop.compose("build", "web", check=True)  # the locked one is here still
        elsewhere = clone(shop, colleague).compose("build", "web")
        shop.compose("lock", "--update", "web", check=True)

    assert locked["image"][base]["used_by"] == [f"Dockerfile of {url}" for url in urls]
    assert checked.code == 0, str(checked)
    assert "up to date" in again.stdout
    for name in ("built", "alone"):
        assert {each.read_text() for each in engine.data.glob(f"snapshots/*/fs/{name}")} == {"hello\n"}
    assert elsewhere.code == 1
    assert f"`{urls[1]}`: has the checksum sha256:" in elsewhere.stderr
    after = tomllib.loads((shop.directory / "compose.lock").read_text())
    assert after["image"][base]["used_by"] == [f"Dockerfile of {urls[0]}"]


@pytest.mark.soak
def test_what_a_base_asks_of_who_builds_on_it_is_locked(engine: Engine, registry: Registry, tmp_path: Path) -> None:
    taken = registry.push(busybox_image(tmp_path, greeting="taken"), "taken:1")
    site = tmp_path / "site"
    site.mkdir()
    (site / "tool").write_text("tool")
    with file_server(site) as address:
        triggers = (f"COPY --from={taken} /greeting /taken", f"ADD {address}/tool /", "RUN cat /taken")
        made = busybox_image(tmp_path)
        base = registry.push(replace(made, settings={**made.settings, "on_build": triggers}), "onbuild:1")
        shop = engine.project("services:\n  web: {build: .}\n", files={"Dockerfile": f"FROM {base}\n"})
        shop.compose("lock", check=True)
        locked = tomllib.loads((shop.directory / "compose.lock").read_text())
        registry.push(busybox_image(tmp_path, greeting="moved"), "taken:1")
        checked = shop.compose("lock", "--check")
        shop.compose("build", "--locked", check=True)

    by = [f"ONBUILD of {base}"]
    assert locked["image"][taken]["used_by"] == by
    assert locked["download"][f"{address}/tool"]["used_by"] == by
    assert checked.code == 0, str(checked)
    assert {each.read_text() for each in engine.data.glob("snapshots/*/fs/taken")} == {"taken\n"}


def test_a_watch_follows_the_lock(engine: Engine, registry: Registry, tmp_path: Path) -> None:
    reference = registry.push(busybox_image(tmp_path), "web:1")
    watched = "    develop:\n      watch:\n        - {action: sync, path: ./src, target: /src}\n"
    shop = engine.project(f"services:\n  web:\n    image: {reference}\n{watched}", files={"src/a": "a"})
    shop.compose("lock", check=True)
    registry.push(busybox_image(tmp_path, greeting="moved"), "web:1")
    shop.up("--watch")
    assert shop.exec("web", "cat", "/greeting").stdout == "hello\n"

    shop.compose("lock", "--update", check=True)

    eventually(lambda: shop.compose("exec", "-T", "web", "cat", "/greeting").stdout == "moved\n")
    shop.compose("watch", "--stop", check=True)


def test_an_ordinary_user_locks_and_runs_what_is_locked(ordinary: Engine, registry: Registry, tmp_path: Path) -> None:
    reference = registry.push(with_packages(tmp_path, "3.0.15-1"), "web:1")
    shop = one_service(ordinary, reference)
    shop.compose("lock", "--packages", check=True)
    registry.push(busybox_image(tmp_path, greeting="moved"), "web:1")

    shop.up("--locked")

    assert shop.exec("web", "cat", "/greeting").stdout == "hello\n"
    assert "as locked" in shop.compose("toolchain", check=True).stdout
    shop.down()


def test_a_machine_without_a_network_runs_what_it_was_brought(
    engine: Engine, colleague: Engine, tmp_path: Path
) -> None:
    with running_registry(tmp_path / "gone") as registry:
        shop = one_service(engine, registry.push(busybox_image(tmp_path), "web:1"))
        shop.compose("lock", check=True)
        shop.up()
    archive = tmp_path / "images.tar"
    engine.compose("image", "save", "-o", str(archive), f"{registry.name}/web:1", check=True)
    theirs = clone(shop, colleague)
    offline = theirs.compose("up", "-d", "--locked")
    assert offline.code == 1
    assert "`compose image load`" in offline.stderr

    colleague.compose("image", "load", str(archive), check=True)
    theirs.up("--locked")

    assert theirs.exec("web", "cat", "/greeting").stdout == "hello\n"
