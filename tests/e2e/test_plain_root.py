"""Where overlay cannot be had, a container is a copy of its image; this is said once."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.harness import IDLE, Engine
from tests.make.image import busybox_rootfs

SHOP = f"""
services:
  web: {{image: host, command: {IDLE}}}
  box: {{image: "box:1", command: sleep 1000, stop_signal: KILL, volumes: ["data:/etc"]}}
volumes: {{data: }}
"""


@pytest.fixture
def without_overlay(engine: Engine, tmp_path: Path) -> Iterator[Engine]:
    """An engine whose data directory lies on an overlay, which takes no other as its upper."""
    for name in ("lower", "upper", "work"):
        (tmp_path / name).mkdir()
    options = f"lowerdir={tmp_path}/lower,upperdir={tmp_path}/upper,workdir={tmp_path}/work"
    subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, engine.data], check=True)
    try:
        yield engine
        engine.compose("down", "-v", "-t", "0", cwd=engine.home / "shop")
        engine.compose("engine", "stop", check=True)
    finally:
        subprocess.run(["umount", "-l", engine.data], check=True)


def test_containers_run_on_copies_of_their_images(without_overlay: Engine, tmp_path: Path) -> None:
    engine = without_overlay
    rootfs = busybox_rootfs(tmp_path / "box", {"etc/seed": "of the image", "kept": "image"})
    engine.compose("image", "import", str(rootfs), "box:1", check=True)
    shop = engine.project(SHOP)

    first = shop.up()

    assert first.output.count("every container gets a copy of its image") == 1
    assert "nothing to do" in shop.compose("up", "--dry-run", check=True).output
    assert "copy of its image" in engine.compose("engine", "status", check=True).stdout
    assert shop.exec("web", "python3", "-c", "print(6 * 7)").stdout == "42\n"
    assert shop.exec("box", "cat", "/etc/seed").stdout == "of the image"
    shop.exec("box", "sh", "-c", "echo changed > /kept; rm -f /bin/vi")

    assert "copy of its image" not in shop.compose("restart", "-t", "0", check=True).output
    assert shop.exec("box", "cat", "/kept").stdout == "changed\n"

    again = shop.up("--force-recreate", "-t", "0")
    assert "copy of its image" not in again.output
    assert shop.exec("box", "cat", "/kept").stdout == "image"
    assert set(shop.ps()) == {"shop-web-1", "shop-box-1"}


def test_images_are_built_without_an_overlay_too(without_overlay: Engine, tmp_path: Path) -> None:
    engine = without_overlay
    rootfs = busybox_rootfs(tmp_path / "box", {"etc/seed": "of the image", "kept/file": "image", "gone": "image"})
    engine.compose("image", "import", str(rootfs), "box:1", check=True)
    shop = engine.project(
        "services: {web: {build: ., stop_grace_period: 0s}}",
        files={
            "context": "of the context\n",
            "Dockerfile": """
FROM box:1 AS first
RUN --mount=target=/here cat /here/context > /etc/seed && rm /gone && rm -r /kept && mkdir /kept && touch /kept/new
RUN test ! -e /gone && test "$(ls /kept)" = new && ln /etc/seed /etc/twin && cat /etc/hosts > /hosts
FROM first
COPY --from=first /etc/twin /copied
RUN --mount=type=cache,target=/cache --mount=from=first,target=/first,rw touch /first/x /cache/x && rm /etc/seed
CMD ["sleep", "1000"]
""",
        },
    )

    built = shop.compose("build", check=True)

    assert built.stderr.count("every RUN step of a build gets a copy") == 1
    assert shop.compose("build", check=True).stderr.count("CACHED") >= 5
    shop.up()
    assert shop.exec("web", "cat", "/copied", "/etc/twin").stdout == "of the context\n" * 2
    assert (
        shop.exec("web", "sh", "-c", "ls -d /gone /kept/* /etc/seed /first /cache /here 2>/dev/null; true").stdout
        == "/kept/new\n"
    )
    failed = shop.directory / "Dockerfile"
    failed.write_text(failed.read_text() + "RUN echo before && exit 3\n")
    assert "exit status 3" in shop.compose("build").stderr


def test_a_file_system_without_attributes_takes_copies_and_says_what_it_cannot_keep(
    engine: Engine, tmp_path: Path
) -> None:
    rootfs = busybox_rootfs(tmp_path / "box", {"etc/deep/seed": "of the image"})
    subprocess.run(["mount", "-t", "ramfs", "ramfs", engine.data], check=True)
    try:
        engine.compose("image", "import", str(rootfs), "box:1", check=True)
        shop = engine.project("""
services:
  box: {image: "box:1", command: sleep 1000, stop_signal: KILL}
  hiding:
    profiles: [more]
    build:
      context: .
      dockerfile_inline: |
        FROM box:1
        RUN rm -r /etc/deep && mkdir /etc/deep
""")
        assert "every container gets a copy of its image" in shop.up().output
        shop.exec("box", "rm", "-r", "/etc/deep")

        built = shop.compose("build", "hiding")

        assert built.code == 17
        assert "keeps no extended attributes" in built.output
        assert "COMPOSER_DATA" in built.output
    finally:
        engine.compose("down", "-v", "-t", "0", cwd=engine.home / "shop")
        engine.compose("engine", "stop", check=True)
        subprocess.run(["umount", "-l", engine.data], check=True)
