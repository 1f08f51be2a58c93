from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from composer.project.model import Attachment, Condition, Dependency, Healthcheck, Mount, Port, Project, Restart
from tests.unit.project.loading import load_in, marked, problems, project, service, write


def test_a_small_file_becomes_a_whole_project(tmp_path: Path) -> None:
    directory = tmp_path / "Shop_1"
    directory.mkdir()
    found = project(
        directory,
        """
        services:
          web:
            image: nginx
            ports: ["8080:80"]
            volumes: ["./html:/usr/share/nginx/html:ro", "cache:/cache"]
            depends_on: [api]
          api:
            image: api:1
        volumes:
          cache:
        """,
    )

    assert found.name == "shop_1"
    assert found.working_dir == str(directory)
    assert found.compose_files == (str(directory / "compose.yaml"),)
    assert list(found.services) == ["web", "api"]
    web = found.services["web"]
    assert web.ports == (Port(target=80, published="8080"),)
    assert web.volumes == (
        Mount(type="bind", source=str(directory / "html"), target="/usr/share/nginx/html", read_only=True),
        Mount(type="volume", source="cache", target="/cache"),
    )
    assert web.depends_on == {"api": Dependency()}
    assert web.networks == {"default": Attachment()}
    assert found.networks["default"].name == "shop_1_default"
    assert found.volumes["cache"].name == "shop_1_cache"
    assert Project.model_validate_json(found.model_dump_json()) == found


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("command: echo hello world", ("echo", "hello", "world")),
        ("command: sh -c \"echo 'a b' && ls\"", ("sh", "-c", "echo 'a b' && ls")),
        ("command: a\\ b 'c d'\"e f\"", ("a b", "c de f")),
        ("command: [a, 'b c']", ("a", "b c")),
        ("command: []", ()),
        ('command: ""', ()),
        ("command: null", None),
        ("init: true", None),
        ("command: echo $$HOME", ("echo", "$HOME")),
    ],
)
def test_a_command_is_words_or_cleared_or_the_images(
    tmp_path: Path, written: str, words: tuple[str, ...] | None
) -> None:
    assert service(tmp_path, written).command == words


def test_what_only_a_shell_could_run_is_left_out_with_a_warning(tmp_path: Path) -> None:
    write(tmp_path, {"compose.yaml": "services: {web: {image: i, command: echo a && echo b}}"})
    loaded = load_in(tmp_path)

    assert loaded.project.services["web"].command == ("echo", "a")
    (warning,) = loaded.warnings
    assert "`&& echo b` is left out" in warning.message


def test_environment_comes_from_files_then_from_the_mapping_then_from_the_shell(tmp_path: Path) -> None:
    write(tmp_path, {"a.env": "A=file\nB=file\nC=${OUT}-$A\n", "raw.env": "R='$A'\n"})
    attributes = """
    env_file:
      - a.env
      - {path: raw.env, format: raw}
      - {path: none.env, required: false}
    environment: [B=own, OUT, NOT_SET, "N=", "E=a=b"]
    """
    found = service(tmp_path, attributes, {"OUT": "outer"})

    assert found.environment == {
        "A": "file", "B": "own", "C": "outer-file", "R": "'$A'", "OUT": "outer", "N": "", "E": "a=b",
    }  # fmt: skip


def test_numbers_and_booleans_in_an_environment_read_as_docker_compose_has_them(tmp_path: Path) -> None:
    found = service(tmp_path, "environment: {A: 1, B: true, C: 3.10, D: on, E: 0644, F: '1.0', G: 1e3}")

    assert found.environment == {"A": "1", "B": "true", "C": "3.1", "D": "on", "E": "420", "F": "1.0", "G": "1000"}


def test_the_long_forms_are_understood(tmp_path: Path) -> None:
    found = service(
        tmp_path,
        """
        depends_on:
          db: {condition: service_healthy, restart: true}
          job: {condition: service_completed_successfully, required: false}
        healthcheck: {test: [CMD, a, b], interval: 1m30s, timeout: 500ms, retries: "5", start_period: 0s, start_interval: 1.5s}
        restart: on-failure:3
        stop_grace_period: 1h5m30s20ms
        stop_signal: SIGINT
        deploy: {replicas: 3}
        networks: {back: {aliases: [x], ipv4_address: 10.9.0.5, priority: 5}}
        extra_hosts: ["a:1.2.3.4", "b=::1", "c:host-gateway"]
        tmpfs: /run
        profiles: []
        volumes:
          - {type: tmpfs, target: /t, tmpfs: {size: 1m, mode: 0700}}
          - {type: bind, source: ., target: /b, bind: {create_host_path: false, propagation: rshared}}
          - {type: volume, target: /v, volume: {nocopy: true}}
        """,
        services="db: {image: i}\njob: {image: i}",
        rest="networks: {back: {internal: true, ipam: {config: [{subnet: 10.9.0.0/24, gateway: 10.9.0.1}]}}}",
    )

    assert found.depends_on == {
        "db": Dependency(condition=Condition.HEALTHY, restart=True),
        "job": Dependency(condition=Condition.COMPLETED, required=False),
    }
    assert found.healthcheck == Healthcheck(
        test=("CMD", "a", "b"), interval=90.0, timeout=0.5, retries=5, start_period=0.0, start_interval=1.5
    )
    assert found.restart == Restart(policy="on-failure", max_retries=3)
    assert found.stop_grace_period == 3930.02
    assert found.stop_signal == "SIGINT"
    assert found.replicas == 3
    assert found.networks == {"back": Attachment(aliases=("x",), ipv4_address="10.9.0.5", priority=5)}
    assert found.extra_hosts == (("a", "1.2.3.4"), ("b", "::1"), ("c", "host-gateway"))
    assert found.tmpfs == ("/run",)
    assert found.volumes == (
        Mount(type="tmpfs", target="/t", tmpfs_size=1 << 20, tmpfs_mode=0o700),
        Mount(type="bind", source=str(tmp_path), target="/b", create_host_path=False, propagation="rshared"),
        Mount(type="volume", target="/v", nocopy=True),
    )


@pytest.mark.parametrize(
    ("written", "test"),
    [
        ("healthcheck: {test: curl -f http://x}", ("CMD-SHELL", "curl -f http://x")),
        ("healthcheck: {test: [CMD-SHELL, x || exit 1]}", ("CMD-SHELL", "x || exit 1")),
        ("healthcheck: {test: [NONE]}", ("NONE",)),
        ("healthcheck: {disable: true}", ("NONE",)),
        ("healthcheck: {interval: 1s}", ()),
    ],
)
def test_a_healthcheck_is_a_command_a_line_nothing_or_the_images(
    tmp_path: Path, written: str, test: tuple[str, ...]
) -> None:
    found = service(tmp_path, written).healthcheck

    assert found is not None
    assert found.test == test
    assert found.disable is (test == ("NONE",))


@pytest.mark.parametrize(
    ("written", "ports"),
    [
        ("80", [Port(target=80)]),
        ('"80/udp"', [Port(target=80, protocol="udp")]),
        ('"8080:80"', [Port(target=80, published="8080")]),
        ('"0:80"', [Port(target=80)]),
        ('"127.0.0.1:8080:80/tcp"', [Port(target=80, published="8080", host_ip="127.0.0.1")]),
        ('"127.0.0.1::80"', [Port(target=80, host_ip="127.0.0.1")]),
        ('"[::1]:8080:80"', [Port(target=80, published="8080", host_ip="::1")]),
        ('"3000-3001"', [Port(target=3000), Port(target=3001)]),
        ('"90-91:80-81"', [Port(target=80, published="90"), Port(target=81, published="91")]),
        ('"8000-9000:80"', [Port(target=80, published_range=(8000, 9000))]),
        ("22:22", [Port(target=22, published="22")]),
        ("{target: 80, published: 8080, protocol: UDP}", [Port(target=80, published="8080", protocol="udp")]),
        ("{target: 80, published: 8000-8010}", [Port(target=80, published_range=(8000, 8010))]),
        ("{target: '80', host_ip: 127.0.0.1, name: w, app_protocol: http, mode: host}",
         [Port(target=80, host_ip="127.0.0.1", name="w", app_protocol="http", mode="host")]),
    ],
)  # fmt: skip
def test_ports_have_these_forms(tmp_path: Path, written: str, ports: list[Port]) -> None:
    assert list(service(tmp_path, f"ports: [{written}]").ports) == ports


def test_sharing_a_network_or_volumes_is_a_dependency(tmp_path: Path) -> None:
    others = "a: {image: i}\nb: {image: i}\nc: {image: i}"
    found = service(tmp_path, "network_mode: service:a\nlinks: ['b:alias']\nvolumes_from: ['c:ro']", services=others)

    assert found.networks == {}
    assert found.depends_on == {
        "a": Dependency(restart=True),
        "b": Dependency(restart=True),
        "c": Dependency(),
    }


def test_extensions_are_kept_and_never_questioned(tmp_path: Path) -> None:
    found = project(tmp_path, "x-a: {b: [1]}\nservices:\n  web: {image: i, x-w: on}\n")

    assert found.extensions == {"x-a": {"b": [1]}}
    assert found.services["web"].extensions == {"x-w": "on"}


def test_what_is_not_supported_yet_is_said_once_with_its_place(tmp_path: Path) -> None:
    write(
        tmp_path,
        {"compose.yaml": "version: '3'\nservices:\n  web:\n    image: i\n    storage_opt: {size: 1g}\n    gpus: all\n"},
    )

    said = [(warning.message, str(warning.location)) for warning in load_in(tmp_path).warnings]

    assert said == [
        ("`version` has no meaning any more", "compose.yaml:1:1"),
        ("services.web.storage_opt is not supported yet and has no effect", "compose.yaml:5:5"),
        ("services.web.gpus is not supported yet and has no effect", "compose.yaml:6:5"),
    ]


def test_an_unset_variable_is_said_once(tmp_path: Path) -> None:
    write(tmp_path, {"compose.yaml": "services: {web: {image: 'i:$TAG', hostname: '${TAG}x', user: '${U:-1}'}}\n"})
    loaded = load_in(tmp_path)

    (warning,) = loaded.warnings
    assert "`TAG` is not set" in warning.message
    assert marked(warning) == "TAG"


def test_what_a_file_of_variables_takes_from_nowhere_is_told_once_and_without_its_value(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "compose.yaml": """\
                services:
                  web: {image: i, env_file: web.env}
                  job: {image: i, env_file: web.env}
                """,
            ".env": "A=$NOWHERE\n",
            "web.env": "OK=${A:-}$$x\nPASSWORD=secret$word\n",
        },
    )

    loaded = load_in(tmp_path)

    assert [(str(each.location), each.message) for each in loaded.warnings] == [
        (".env:1:1", "`A` refers to a variable that is not set, an empty string stands in for it"),
        ("web.env:2:1", "`PASSWORD` refers to a variable that is not set, an empty string stands in for it"),
    ]
    assert not any(word in str(each) for each in loaded.warnings for word in ("secret", "word"))
    assert dict(loaded.project.services["web"].environment) == {"OK": "$x", "PASSWORD": "secret"}


def test_only_the_variables_that_were_used_are_kept(tmp_path: Path) -> None:
    text = "services: {web: {image: 'i:${TAG}', environment: [FROM_SHELL, HERE=1]}}"
    found = project(tmp_path, text, {"TAG": "1", "FROM_SHELL": "s", "SECRET": "x", "HERE": "not taken"})

    assert found.environment_used == {"TAG": "1", "FROM_SHELL": "s"}


def test_interpolated_numbers_and_flags_are_typed(tmp_path: Path) -> None:
    attributes = "tty: ${YES}\nscale: ${N}\nports: [{target: '${P}'}]\ncpus: '${C}'\nmem_limit: ${M}"
    found = service(tmp_path, attributes, {"YES": "true", "N": "2", "P": "80", "C": "0.5", "M": "1g"})

    assert (found.tty, found.replicas, found.ports[0].target, found.cpus, found.mem_limit) == (
        True,
        2,
        80,
        0.5,
        1 << 30,
    )


def test_origins_lead_back_to_the_file_that_said_it_last(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "compose.yaml": "services:\n  web:\n    image: a\n    environment:\n      - A=1\n",
            "compose.override.yaml": "services:\n  web:\n    image: b\n",
        },
    )
    origins = load_in(tmp_path).origins

    image = origins.at(("services", "web", "image"))
    assert image is not None
    assert (str(image), image.source) == ("compose.override.yaml:3:12", "    image: b")
    assert str(origins.at(("services", "web", "environment", "A"))) == "compose.yaml:5:9"
    assert str(origins.at(("services", "web"))) == "compose.override.yaml:2:3"
    assert origins.at(("services", "nope")) is None
    assert str(origins.near(("services", "web", "restart"))) == "compose.override.yaml:2:3"


def test_origins_survive_the_wire(tmp_path: Path) -> None:
    import json

    from composer.project.origins import Origins

    write(tmp_path, {"compose.yaml": "services:\n  web:\n    image: a\n    ports: ['80', '81']\n"})
    origins = load_in(tmp_path).origins
    back = Origins.from_wire(json.loads(json.dumps(origins.to_wire())))

    assert back.to_wire() == origins.to_wire()
    assert str(back.at(("services", "web", "ports", 1))) == "compose.yaml:4:19"


def test_all_problems_of_all_files_come_at_once_in_file_order(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "compose.yaml": "services:\n  web:\n    depends_on: [nope]\n    prots: []\n    image: i\n    ports: 80\n",
            "compose.override.yaml": "services:\n  web:\n    tty: perhaps\n",
        },
    )
    from composer.errors import ProjectError

    with pytest.raises(ProjectError) as caught:
        load_in(tmp_path)

    assert [(str(found.location), marked(found)) for found in caught.value.diagnostics] == [
        ("compose.yaml:3:18", "nope"),
        ("compose.yaml:4:5", "prots"),
        ("compose.yaml:6:12", "80"),
        ("compose.override.yaml:3:10", "perhaps"),
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the Compose file is empty"),
        ("- a", "must be a mapping"),
        ("services: []", "services must be a mapping"),
        ("name: x", "the project has no `services`"),
        ("services: {web: }", "services.web must be a mapping"),
        ("web: {image: i}", "`web` is not an attribute of a Compose file"),
        ("services: {'a b': {image: i}}", "`a b` cannot be a name"),
    ],
)
def test_a_file_that_is_no_project_says_so(tmp_path: Path, text: str, said: str) -> None:
    assert any(said in found.message for found in problems(tmp_path, text))


def test_importing_the_room_imports_neither_yaml_nor_pydantic() -> None:
    code = "import sys, composer.project; sys.exit(bool({'yaml', 'pydantic'} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
