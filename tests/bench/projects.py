"""The Compose files of the benchmark, and the small programs that run in their containers."""

from __future__ import annotations

BUSYBOX = "localhost/bench/busybox:1"
PYTHON = "localhost/bench/py:1"

IDLE = """["sh", "-c", "trap 'exit 0' TERM; sleep 100000 & wait"]"""
"""Does nothing, and obeys SIGTERM at once."""


def idle(size: int) -> str:
    """`size` services that do nothing."""
    return "services:\n" + "".join(_idle(number) for number in range(size))


def large(size: int = 50) -> str:
    """A file such as large projects have, of 30 lines for each service."""
    text = "x-common: &common\n  restart: unless-stopped\n  logging: {driver: json-file, options: {max-size: 10m}}\nservices:\n"
    for number in range(size):
        text += f"""\
  s{number}:
    <<: *common
    image: registry.example.com/team/s{number}:${{TAG:-1.2.{number}}}
    hostname: s{number}
    environment:
      PORT: {8000 + number}
      LOG_LEVEL: ${{LOG_LEVEL:-info}}
      DATABASE_URL: postgres://app@s0:5432/app{number}
      FEATURE: "true"
    ports:
      - "127.0.0.1:{18000 + number}:{8000 + number}"
    volumes:
      - ./s{number}:/app:ro
      - data{number}:/var/lib/data
    networks: [front, back]
    healthcheck:
      test: [CMD, curl, -f, "http://localhost:{8000 + number}/"]
      interval: 10s
      timeout: 3s
      retries: 5
    labels:
      traefik.http.routers.s{number}.rule: Host(`s{number}.example.com`)
      team: platform
    deploy:
      resources:
        limits: {{cpus: "0.5", memory: 256M}}
    depends_on:
      s{(number + 1) % size if number + 1 < size else "last"}:
        condition: service_started
"""
    volumes = "".join(f"  data{number}:\n" for number in range(size))
    return f"{text}  slast: {{image: {BUSYBOX}}}\nnetworks:\n  front:\n  back:\n    internal: true\nvolumes:\n{volumes}"


def healthy_chain(length: int) -> str:
    """Services each of which waits until the one before it is healthy; as fast as Docker can be made to notice."""
    text = "services:\n"
    for number in range(length):
        text += _idle(number) + (
            "    healthcheck:\n"
            '      test: ["CMD", "true"]\n'
            "      interval: 1s\n"
            "      start_period: 30s\n"
            "      start_interval: 100ms\n"
        )
        if number:
            text += f"    depends_on: {{s{number - 1}: {{condition: service_healthy}}}}\n"
    return text


def one_off() -> str:
    """A service to `run`."""
    return f"services:\n  one:\n    image: {BUSYBOX}\n    command: ['true']\n"


def network(iperf: int, redis: int) -> str:
    """Two servers, published on loopback at these ports, and a client."""
    return f"""\
services:
  throughput:
    image: {PYTHON}
    command: ["iperf3", "-s"]
    init: true
    ports: ["127.0.0.1:{iperf}:5201"]
  latency:
    image: {PYTHON}
    command: ["redis-server", "--protected-mode", "no", "--save", ""]
    ports: ["127.0.0.1:{redis}:6379"]
  client:
    image: {PYTHON}
    command: ["sleep", "100000"]
    init: true
"""


def _idle(number: int) -> str:
    return f"  s{number}:\n    image: {BUSYBOX}\n    command: {IDLE}\n"


LOOK_UP = """
import socket, sys, time
taken = []
for _ in range(200):
    began = time.perf_counter()
    socket.getaddrinfo(sys.argv[1], 80, type=socket.SOCK_STREAM)
    taken.append(time.perf_counter() - began)
print(sorted(taken)[100] * 1e6)
"""
"""Prints the median microseconds of a name's look-up, as programs do it."""

CONNECT = """
import socket, sys, time
place = (socket.gethostbyname(sys.argv[1]), int(sys.argv[2]))
taken = []
for _ in range(300):
    began = time.perf_counter()
    with socket.create_connection(place) as connection:
        connection.sendall(b"PING\\r\\n")
        connection.recv(64)
    taken.append(time.perf_counter() - began)
print(sorted(taken)[150] * 1e6)
"""
"""Prints the median microseconds of a connection to redis with one question and answer."""
