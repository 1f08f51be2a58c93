"""Builds of an ordinary user, whose engine is root of a user namespace only."""

from __future__ import annotations

import os

from tests.e2e.harness import Engine, eventually
from tests.make.image import busybox_rootfs

DOCKERFILE = """\
FROM busybox
WORKDIR /app
COPY src .
RUN echo "$(id -u) $(cat hello.txt)" > out && rm hello.txt && ls -a
RUN --mount=type=cache,target=/cache --mount=type=bind,target=/src,rw touch /cache/a /src/b && cat /src/src/hello.txt
CMD ["cat", "/app/out"]
"""


LIKE_A_PACKAGE_MANAGER = """\
FROM busybox
RUN mkdir /etc/apt /etc/apt/apt.conf.d && echo mine > /app && chown 12:13 /app && ls -ln /app
RUN chown app:app /home/app && cat /etc/apt/apt.conf.d/*
USER app
WORKDIR /home/app
RUN id -u && ls -ln /app && touch made && ! chown 12 made 2>/dev/null
CMD id -un && touch run && ls -n run && sleep 1000
"""


def test_steps_and_services_have_the_users_of_their_image_though_only_one_id_is_mapped(ordinary: Engine) -> None:
    rootfs = ordinary.root / "busybox"
    busybox_rootfs(rootfs)
    ordinary.compose("image", "import", str(rootfs), "busybox", check=True)
    shop = ordinary.project(
        "services: {web: {build: ., tty: true}}\n",
        files={"Dockerfile": LIKE_A_PACKAGE_MANAGER, "src/hello.txt": "hello"},
    )
    for path in shop.directory.rglob("*"):
        os.chown(path, ordinary.uid, ordinary.uid)

    built = shop.compose("build", "--progress", "plain", check=True).stderr
    shop.up()

    assert "-rw-r--r--    1 0        0" in built
    assert "-rw-r--r--    1 1000     1000" in built
    assert 'APT::Sandbox::User "root";' in built
    assert "/etc/apt/apt.conf.d/" not in shop.exec("web", "find", "/etc/apt", "-type", "f").stdout
    eventually(lambda: "run" in shop.compose("logs", "web").stdout)
    assert "app" in shop.compose("logs", "web").stdout
    assert shop.exec("web", "id", "-u").stdout == "1000\n"
    assert shop.exec("web", "sh", "-c", "kill -0 1 && echo y > mine && cat mine").stdout == "y\n"
    assert shop.compose("exec", "-T", "-u", "0", "web", "id", "-u", check=True).stdout == "0\n"


def test_an_ordinary_user_builds_and_runs(ordinary: Engine) -> None:
    rootfs = ordinary.root / "busybox"
    busybox_rootfs(rootfs)
    ordinary.compose("image", "import", str(rootfs), "busybox", check=True)
    shop = ordinary.project("services: {web: {build: .}}\n", files={"Dockerfile": DOCKERFILE, "src/hello.txt": "hello"})
    for path in shop.directory.rglob("*"):
        os.chown(path, ordinary.uid, ordinary.uid)

    shop.compose("build", check=True)

    assert shop.compose("run", "--rm", "web", check=True).stdout == "0 hello\n"
    assert shop.compose("run", "--rm", "web", "ls", "/app", check=True).stdout == "out\n"
    assert "0 run" in shop.compose("build", check=True).stderr.splitlines()[-1]
