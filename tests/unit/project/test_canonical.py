from __future__ import annotations

from pathlib import Path

from composer.project.canonical import canonical
from composer.project.select import select
from composer.project.source import dump_yaml
from tests.unit.project.loading import load_in, write

TEXT = """
name: shop
services:
  web:
    build: {context: ., args: [V=1]}
    command: run "a b"
    environment: {A: 1, PRICE: 5$$, KEY: }
    ports: ["8080:80", "127.0.0.1::53/udp", "7000-7010:70"]
    volumes: [./html:/html:ro, data:/data, /anon]
    depends_on: [db]
    stop_grace_period: 1m30s
    extra_hosts: ["h:host-gateway"]
    x-note: hi
  db:
    image: postgres
    restart: on-failure:3
    networks: {back: {aliases: [store]}}
    healthcheck: {test: pg_isready, interval: 500ms}
    deploy: {replicas: 2}
networks:
  back: {internal: true, ipam: {config: [{subnet: 10.9.0.0/24}]}}
volumes:
  data: {name: the-data, external: true}
"""

EXPECTED = """\
name: shop
services:
  db:
    deploy:
      replicas: 2
    healthcheck:
      test:
        - CMD-SHELL
        - pg_isready
      interval: 500ms
    image: postgres
    networks:
      back:
        aliases:
          - store
    restart: on-failure:3
  web:
    build:
      context: HERE
      dockerfile: Dockerfile
      args:
        V: "1"
    command:
      - run
      - a b
    depends_on:
      db:
        condition: service_started
        required: true
    environment:
      A: "1"
      KEY: null
      PRICE: 5$$
    extra_hosts:
      - h=host-gateway
    networks:
      default: null
    ports:
      - mode: ingress
        target: 80
        published: "8080"
        protocol: tcp
      - mode: ingress
        host_ip: 127.0.0.1
        target: 53
        protocol: udp
      - mode: ingress
        target: 70
        published: 7000-7010
        protocol: tcp
    stop_grace_period: 1m30s
    volumes:
      - type: bind
        source: HERE/html
        target: /html
        read_only: true
        bind:
          create_host_path: true
      - type: volume
        source: data
        target: /data
        volume: {}
      - type: volume
        target: /anon
        volume: {}
    x-note: hi
networks:
  back:
    name: shop_back
    ipam:
      config:
        - subnet: 10.9.0.0/24
    internal: true
  default:
    name: shop_default
volumes:
  data:
    name: the-data
    external: true
"""


def printed(directory: Path) -> str:
    write(directory, {"compose.yaml": TEXT})
    found = load_in(directory)
    return dump_yaml(canonical(found.tree, found.project))


def test_a_project_prints_as_docker_compose_config_prints_it(tmp_path: Path) -> None:
    assert printed(tmp_path) == EXPECTED.replace("HERE", str(tmp_path))


def test_what_is_printed_loads_as_the_same_project(tmp_path: Path) -> None:
    first = printed(tmp_path)
    project = load_in(tmp_path).project
    write(tmp_path, {"again.yaml": first})
    again = load_in(tmp_path, files=("again.yaml",))

    assert again.project.model_copy(update={"compose_files": project.compose_files}) == project
    assert dump_yaml(canonical(again.tree, again.project)) == first


def test_a_part_prints_only_what_it_uses(tmp_path: Path) -> None:
    write(tmp_path, {"compose.yaml": TEXT})
    found = load_in(tmp_path)
    part = canonical(found.tree, select(found.project, ["db"]))

    assert list(part["services"]) == ["db"]
    assert list(part["networks"]) == ["back"]
    assert "volumes" not in part
