"""What containers and steps of builds of an ordinary user reach outside: no privileges, nothing installed."""

from __future__ import annotations

import functools
import http.server
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.harness import IDLE, Engine
from tests.make.image import busybox_rootfs

FETCH = "import urllib.request as u; print(u.urlopen('{url}', timeout=20).read().decode())"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[str, int]]:
    """A web server of this machine, and how the world calls it."""
    (tmp_path / "page").write_text("from outside")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path))
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe,
        http.server.ThreadingHTTPServer(("", 0), handler) as server,
    ):
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("needs a machine with a default route")
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield probe.getsockname()[0], server.server_port
        server.shutdown()


def test_a_container_reaches_the_outside_and_this_machine(ordinary: Engine, site: tuple[str, int]) -> None:
    address, port = site
    shop = ordinary.project(f"""
        services:
          web:
            image: host
            command: {IDLE}
            extra_hosts: ["host.docker.internal:host-gateway"]
          alone:
            image: host
            command: {IDLE}
            networks: [inner]
        networks:
          inner:
            internal: true
    """)
    shop.up()

    for host in (address, "host.docker.internal"):
        page = shop.exec("web", "python3", "-c", FETCH.format(url=f"http://{host}:{port}/page"))
        assert page.stdout == "from outside\n"
    assert shop.compose("exec", "-T", "alone", "python3", "-c", FETCH.format(url=f"http://{address}:{port}/page")).code

    ordinary.kill("data_plane")
    ordinary.kill("engine")
    page = shop.exec("web", "python3", "-c", FETCH.format(url=f"http://{address}:{port}/page"))
    assert page.stdout == "from outside\n"


def test_a_step_of_a_build_reaches_the_outside_from_a_network_of_its_own(
    ordinary: Engine, site: tuple[str, int]
) -> None:
    address, port = site
    rootfs = ordinary.root / "busybox"
    busybox_rootfs(rootfs)
    ordinary.compose("image", "import", str(rootfs), "busybox", check=True)
    dockerfile = (
        f"FROM busybox\nRUN wget -q -O /page http://{address}:{port}/page && cat /proc/net/dev\nCMD cat /page\n"
    )
    shop = ordinary.project("services: {web: {build: .}}\n", files={"Dockerfile": dockerfile})
    for path in shop.directory.rglob("*"):
        os.chown(path, ordinary.uid, ordinary.uid)

    built = shop.compose("build", "--progress", "plain", check=True)

    assert "eth0:" in built.stderr
    assert shop.compose("run", "--rm", "web", check=True).stdout == "from outside"
