"""Builds of an ordinary user, whose engine is root of a user namespace only."""

from __future__ import annotations

import os

from tests.e2e.harness import Engine
from tests.make.image import busybox_rootfs

DOCKERFILE = """\
FROM busybox
WORKDIR /app
COPY src .
RUN echo "$(id -u) $(cat hello.txt)" > out && rm hello.txt && ls -a
RUN --mount=type=cache,target=/cache --mount=type=bind,target=/src,rw touch /cache/a /src/b && cat /src/src/hello.txt
CMD ["cat", "/app/out"]
"""


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
