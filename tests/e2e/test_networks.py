"""Names, addresses and published ports."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.e2e.harness import HTTP, IDLE, Engine, eventually, fetch, fetched
from tests.make.ports import free_port


def test_two_services_find_each_other_by_name_and_one_is_published(engine: Engine) -> None:
    port = free_port()
    shop = engine.project(
        f"""
        services:
          web:
            image: host
            working_dir: /site
            volumes: ["./site:/site:ro"]
            command: {HTTP}
            ports: ["{port}:8000"]
          client:
            image: host
            command: {IDLE}
        """,
        files={"site/index.html": "welcome\n"},
    )
    shop.up()

    assert fetched(f"http://127.0.0.1:{port}/") == "welcome\n"
    assert fetched(f"http://[::1]:{port}/") == "welcome\n"
    address = shop.exec("client", "getent", "ahostsv4", "web").stdout.split()[0]
    assert shop.exec("web", "hostname", "-i").stdout.split()[-1] == address
    for name in ("web", "shop-web-1"):
        script = f"import urllib.request as u; print(u.urlopen('http://{name}:8000/').read().decode())"
        assert shop.exec("client", "python3", "-c", script).stdout.strip() == "welcome"
    publishers = [entry for entry in shop.container("web")["Publishers"] if entry["PublishedPort"] == port]
    assert publishers[0]["TargetPort"] == 8000
    assert publishers[0]["Protocol"] == "tcp"

    shop.down()
    with pytest.raises(OSError):
        fetch(f"http://127.0.0.1:{port}/")


def test_an_alias_is_a_name_and_an_unknown_name_fails_at_once(engine: Engine) -> None:
    shop = engine.project(f"""
        services:
          web:
            image: host
            command: {IDLE}
            networks:
              default:
                aliases: [www, shop.example]
          client:
            image: host
            command: {IDLE}
            environment: {{RES_OPTIONS: "timeout:30"}}  # of resolv.conf(5): an answer that does not come takes as long
    """)
    shop.up()

    def address(name: str) -> str:
        return shop.exec("client", "getent", "ahostsv4", name).stdout.split()[0]

    assert address("www") == address("shop.example") == address("web")
    unknown = shop.compose("exec", "-T", "client", "timeout", "25", "getent", "ahostsv4", "nosuchservice")
    assert unknown.code == 2, unknown  # getent: not found; 124 would be the timeout's


def test_replicas_share_a_name(engine: Engine) -> None:
    shop = engine.project(f"""
        services:
          web:
            image: host
            scale: 3
            command: {IDLE}
          client:
            image: host
            command: {IDLE}
    """)
    shop.up()

    listed = shop.exec("client", "getent", "ahostsv4", "web").stdout.splitlines()

    assert len({line.split()[0] for line in listed}) == 3


def test_networks_are_apart_from_each_other(engine: Engine) -> None:
    shop = engine.project(f"""
        services:
          front: {{image: host, command: {IDLE}, networks: [outer]}}
          both: {{image: host, command: {IDLE}, networks: [outer, inner]}}
          back: {{image: host, command: {IDLE}, networks: [inner]}}
        networks:
          outer:
          inner:
            internal: true
    """)
    shop.up()

    shop.exec("both", "getent", "hosts", "front")
    shop.exec("both", "getent", "hosts", "back")
    assert shop.compose("exec", "-T", "front", "getent", "hosts", "back").code == 2
    assert "default" not in shop.exec("back", "cat", "/proc/net/route").stdout
    routes = [line.split() for line in shop.exec("back", "cat", "/proc/net/route").lines()[1:]]
    assert not [route for route in routes if route[1] == "00000000"], "an internal network has no way out"


def test_an_ephemeral_port_is_chosen_and_shown(engine: Engine) -> None:
    shop = engine.project(f"""
        services:
          web:
            image: host
            command: {HTTP}
            ports: ["8000", "127.0.0.1::8000"]
    """)
    shop.up()

    publishers = [entry for entry in shop.container("web")["Publishers"] if entry["PublishedPort"]]
    assert {entry["TargetPort"] for entry in publishers} == {8000}
    assert len({entry["PublishedPort"] for entry in publishers}) == 2
    for entry in publishers:
        fetched(f"http://127.0.0.1:{entry['PublishedPort']}/")


def test_a_port_of_one_address_is_not_open_on_others(engine: Engine) -> None:
    port = free_port()
    shop = engine.project(f"""
        services:
          web:
            image: host
            command: {HTTP}
            ports: ["127.0.0.1:{port}:8000"]
    """)
    shop.up()
    fetched(f"http://127.0.0.1:{port}/")

    with pytest.raises(OSError):
        fetch(f"http://127.0.0.2:{port}/")


def test_a_udp_port_is_published(engine: Engine) -> None:
    port = free_port(socket.SOCK_DGRAM)
    echo = (
        "import socket; s = socket.socket(2, 2); s.bind(('', 9)); "
        "[s.sendto(b'echo ' + d, a) for d, a in iter(lambda: s.recvfrom(99), 0)]"
    )
    shop = engine.project(f"""
        services:
          echo:
            image: host
            init: true
            command: ["python3", "-c", "{echo}"]
            ports: ["{port}:9/udp"]
    """)
    shop.up()

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(0.5)
        client.connect(("127.0.0.1", port))

        def answer() -> bytes | None:
            try:
                client.send(b"hello")
                return client.recv(99)
            except OSError:
                return None

        assert eventually(answer) == b"echo hello"


def test_network_modes_none_host_and_of_another_service(engine: Engine) -> None:
    shop = engine.project(f"""
        services:
          alone: {{image: host, command: {IDLE}, network_mode: none}}
          open: {{image: host, command: {IDLE}, network_mode: host}}
          web: {{image: host, command: {HTTP}}}
          sidecar:
            image: host
            command: {IDLE}
            network_mode: service:web
    """)
    shop.up()

    assert shop.exec("alone", "ls", "/sys/class/net").stdout.split() == ["lo"]
    assert shop.exec("open", "readlink", "/proc/self/ns/net").stdout.strip() == str(
        Path("/proc/self/ns/net").readlink()
    )
    assert (
        shop.exec("sidecar", "readlink", "/proc/self/ns/net").stdout
        == shop.exec("web", "readlink", "/proc/self/ns/net").stdout
    )
    script = "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/')"
    eventually(lambda: shop.compose("exec", "-T", "sidecar", "python3", "-c", script).code == 0)


def test_a_published_port_reaches_a_container_that_is_recreated_and_scaled(engine: Engine) -> None:
    port = free_port()
    shop = engine.project(f"""
        services:
          web:
            image: host
            command: {HTTP}
            ports: ["{port}:8000"]
    """)
    shop.up()
    fetched(f"http://127.0.0.1:{port}/")

    shop.edit("image: host", "image: host\n    environment: {CHANGED: 1}")
    shop.up()

    fetched(f"http://127.0.0.1:{port}/")


def test_two_projects_use_one_engine_without_meeting(engine: Engine) -> None:
    text = f"services:\n  web:\n    image: host\n    command: {IDLE}\n"
    shop, mall = engine.project(text), engine.project(text, name="mall")
    shop.up()
    mall.up()

    assert set(shop.ps()) == {"shop-web-1"}
    assert set(mall.ps()) == {"mall-web-1"}
    assert shop.compose("exec", "-T", "web", "getent", "hosts", "mall-web-1").code == 2
    shop.down()

    assert mall.container("web")["State"] == "running"
