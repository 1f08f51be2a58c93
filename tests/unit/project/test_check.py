from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.project.loading import load_in, marked, problem, problems, with_web, write

BAD = [
    # unknown words
    ("imgae: x", "services.web: `imgae` is not an attribute of a service", "imgae", "did you mean `image`?"),
    ("healthcheck: {tset: x}", "services.web.healthcheck: `tset` is not", "tset", "did you mean `test`?"),
    ("deploy: {replica: 2}", "services.web.deploy: there is no attribute `replica`", "replica", "did you mean `replicas`?"),
    ("depends_on: {db: {condition: service_helthy}}", "`service_helthy` is not one of", "service_helthy", "`service_healthy`"),
    # wrong types
    ("ports: '80'", "services.web.ports must be a list, found the string `80`", "'80'", "begin each port with"),
    ("environment: text", "must be a mapping or a list of `NAME=VALUE`, found the string `text`", "text", ""),
    ("environment: {A: [1]}", "services.web.environment.A must be a string, found a list", "[", ""),
    ("hostname: 12", "services.web.hostname must be a string, found the number `12`", "12", "quotes"),
    (f"hostname: {'h' * 65}", "services.web.hostname has 65 bytes, and Linux allows 64", "h" * 65, "shorten it"),
    ("devices: [v.io/gpu=all]", "services.web.devices[0]: `v.io/gpu=all` is a CDI device", "v.io/gpu=all", "/dev/dri"),
    ("tty: maybe", "services.web.tty must be `true` or `false`, found the string `maybe`", "maybe", ""),
    ("scale: many", "services.web.scale must be a whole number", "many", ""),
    ("scale: -1", "services.web.scale must be at least 0, found -1", "-1", ""),
    ("command: {a: b}", "services.web.command must be a string or a list of strings, found a mapping", "{", ""),
    ("command: \"a 'b\"", "cannot be split into words: the quote ' is never closed", "\"a 'b\"", ""),
    ("cpus: lots", "services.web.cpus must be a number", "lots", ""),
    # ports
    ("ports: ['8080:80/tpc']", "services.web.ports[0]: `8080:80/tpc` has an unknown protocol", "tpc", "did you mean `tcp`?"),
    ("ports: ['80:80/sctp']", "`sctp` ports cannot be published here", "sctp", ""),
    ("ports: ['80-82:90-91']", "pairs 3 host ports with 2 container ports", "80-82", "equally long"),
    ("ports: ['70000:80']", "`70000:80` is out of range", "70000", ""),
    ("ports: ['80:web']", "`80:web` is not a port", "web", ""),
    ("ports: ['90-80:1']", "the range `90-80` runs backwards", "90-80", "write `80-90`"),
    ("ports: ['1.2.3.400:80:80']", "`1.2.3.400` is not an IP address", "1.2.3.400", ""),
    ("ports: [{published: 80}]", "services.web.ports[0] has no `target`", "{", ""),
    ("working_dir: app", "services.web.working_dir: `app` is not an absolute path", "app", ""),
    ("tmpfs: ['run:size=1m']", "services.web.tmpfs: `run` is not an absolute path", "'run:size=1m'", ""),
    ("extra_hosts: [db]", "services.web.extra_hosts[0]: `db` has no address", "db", "write `NAME=ADDRESS`"),
    ("expose: [x]", "services.web.expose[0]: `x` is not a port", "x", ""),
    # volumes
    ("volumes: ['data:/d']", "there is no volume `data`", "data", "declare it"),
    ("volumes: ['a/b:/d']", "there is no volume `a/b`", "a/b", "`./a/b`"),
    ("volumes: ['./a:d']", "`d` is not an absolute path", "d", ""),
    ("volumes: [{type: bind, target: /x}]", "has no `source`", "{", ""),
    ("volumes: [{type: bnd, source: x, target: /x}]", "`bnd` is not one of", "bnd", "did you mean `bind`?"),
    # values
    ("restart: alway", "`alway` is not a restart policy", "alway", "did you mean `always`?"),
    ("restart: always:3", "`always:3` is not a restart policy", "3", ""),
    ("stop_grace_period: 10", "`10` is not a duration", "10", "did you mean `10s`?"),
    ("stop_grace_period: 5x", "`5x` is not a duration", "5x", "like `1m30s`"),
    ("stop_signal: SIGTEM", "there is no signal `SIGTEM`", "SIGTEM", "did you mean `SIGTERM`?"),
    ("shm_size: -1", "`-1` is not a size", "-1", "like `64m`"),
    ("gpus: [{capabilities: [gpu], count: 1, device_ids: ['0']}]", "both `count` and `device_ids`", "count", "keep `device_ids`"),
    ("volumes: ['C:\\data:/d']", "`C:\\data` is a path of Windows", "C:\\data", "`./data`"),
    ("mem_limit: 5q", "`5q` is not a size", "5q", "like `64m`"),
    ("pull_policy: allways", "`allways` is not a pull policy", "allways", "did you mean `always`?"),
    ("container_name: a b", "`a b` cannot be a container's name", "a b", ""),
    ("extra_hosts: ['a:b']", "`b` is not an IP address", "b", ""),
    ("healthcheck: {test: [curl, x]}", "must begin with `CMD`, `CMD-SHELL` or `NONE`", "curl", "put `CMD`"),
    ("ulimits: {nofile: {soft: 1}}", "needs both `soft` and `hard`", "{", ""),
    ("network_mode: hots", "`hots` is not a network mode", "hots", "did you mean `host`?"),
    # references
    ("depends_on: [dbb]", "services.web.depends_on: there is no service `dbb`", "dbb", "did you mean `db`?"),
    ("depends_on: {dbb: }", "services.web.depends_on: there is no service `dbb`", "dbb", "did you mean `db`?"),
    ("network_mode: service:dbb", "services.web.network_mode: there is no service `dbb`", "dbb", "did you mean `db`?"),
    ("links: ['zzzz:alias']", "services.web.links: there is no service `zzzz`", "zzzz", "the services are `web`, `db`"),
    ("networks: [bakc]", "services.web.networks: there is no network `bakc`", "bakc", "did you mean `back`?"),
    # clashes
    ("container_name: x\nscale: 2", "services.web has 2 replicas", "container_name", "remove `container_name`"),
    ("ports: ['80:80']\ndeploy: {replicas: 2}", "2 replicas cannot all publish port 80", "80", "a range"),
    ("scale: 2\ndeploy: {replicas: 3}", "`scale` is 2 and `deploy.replicas` is 3", "2", "keep one"),
    ("network_mode: host\nnetworks: [back]", "has both `network_mode` and `networks`", "host", "keep one"),
    ("network_mode: none\nports: ['80:80']", "cannot publish ports with `network_mode: none`", "ports", ""),
    ("network_mode: service:db\nports: ['80:80']", "cannot publish ports", "ports", "publish them in `db`"),
    ("network_mode: container:x", "no service here has a container called `x`", "container:x", "`service:NAME`"),
    ("networks: {back: {ipv4_address: 10.1.0.5}}", "a fixed address needs a subnet", "10.1.0.5", "`ipam`"),
    ("networks: {net: {ipv4_address: 10.1.0.5}}", "`10.1.0.5` is not in the network's subnet `10.9.0.0/24`", "10.1.0.5", ""),
    ("build: {dockerfile: a, dockerfile_inline: b}", "both `dockerfile` and `dockerfile_inline`", "dockerfile_inline", ""),
    ("depends_on: {off: {condition: service_healthy}}", "`off` can never be healthy", "service_healthy", ""),
    ("env_file: none.env", "services.web.env_file[0]: there is no file", "none.env", "`required: false`"),
    ("extends: nobody", "services.web.extends: there is no service `nobody`", "nobody", ""),
    ("extends: {file: x.yaml}", "services.web.extends does not name a `service`", "{", ""),
]  # fmt: skip

SERVICES = "db: {image: i}\noff: {image: i, healthcheck: {disable: true}}"
REST = "networks: {back: , net: {ipam: {config: [{subnet: 10.9.0.0/24}]}}}"


@pytest.mark.parametrize(("attributes", "said", "under", "hint"), BAD, ids=[row[0] for row in BAD])
def test_a_mistake_is_explained_where_it_is(tmp_path: Path, attributes: str, said: str, under: str, hint: str) -> None:
    found = problem(tmp_path, attributes, SERVICES, REST)

    assert said in found.message
    assert marked(found) == under
    assert hint in found.hint


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ("networks: {n: {driver: macvlan}}", "there is no network driver `macvlan` here"),
        ("volumes: {n: {external: true, driver: local}}", "volumes.n is external: `driver` has no effect on it"),
        ("networks: {n: {ipam: {config: [{subnet: 10.0.0.0/24, gateway: 10.1.0.1}]}}}", "is not in the subnet"),
        ("networks: {n: {ipam: {config: [{subnet: ten}]}}}", "`ten` is not a subnet"),
        ("volumes: {v: {driver: nfs}}", "there is no volume driver `nfs` here"),
        ("volumes: [v]", "volumes must be a mapping, found a list"),
        ("volume: {v: }", "`volume` is not an attribute of a Compose file"),
        ("name: '%!'", "`%!` cannot be a project's name"),
    ],
)
def test_a_mistake_beside_the_services_is_explained(tmp_path: Path, section: str, said: str) -> None:
    found = problem(tmp_path, "", rest=section)
    assert said in found.message


def test_a_service_without_image_and_build_is_an_error(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, "services:\n  web: {init: true}\n")

    assert found.message == "services.web has neither an image nor a build context"
    assert marked(found) == "web"


def test_one_mistake_is_told_once(tmp_path: Path) -> None:
    assert len(problems(tmp_path, "services: {web: {image: [x]}}")) == 1
    assert len(problems(tmp_path, "services: {web: {iamge: x}}")) == 1


def test_a_circle_is_printed_with_its_trail(tmp_path: Path) -> None:
    text = """
    services:
      a: {image: i, depends_on: [b]}
      b: {image: i, depends_on: {c: {condition: service_healthy}}}
      c: {image: i, network_mode: "service:d"}
      d: {image: i, links: [b]}
    """
    (found,) = problems(tmp_path, text)

    assert found.message == "services.d.links: a circle of dependencies: `b` → `c` → `d` → `b`"
    assert marked(found) == "b"


def test_a_service_that_depends_on_itself_is_a_circle(tmp_path: Path) -> None:
    found = problem(tmp_path, "depends_on: [web]")
    assert "`web` → `web`" in found.message


def test_a_diamond_is_no_circle_and_a_long_chain_is_no_problem(tmp_path: Path) -> None:
    chain = "\n".join(f"  s{i}: {{image: i, depends_on: [s{i + 1}]}}" for i in range(2000))
    write(tmp_path, {"compose.yaml": f"services:\n{chain}\n  s2000: {{image: i}}\n"})
    assert len(load_in(tmp_path).project.services) == 2001

    diamond = "a: {image: i, depends_on: [b, c]}\nb: {image: i, depends_on: [d]}\nc: {image: i, depends_on: [d]}\nd: {image: i}"
    write(tmp_path, {"compose.yaml": with_web("depends_on: [a, d]", diamond)})
    assert load_in(tmp_path).project.services["web"].depends_on.keys() == {"a", "d"}


def test_an_optional_dependency_may_be_missing(tmp_path: Path) -> None:
    write(tmp_path, {"compose.yaml": with_web("depends_on: {x: {condition: service_started, required: false}}")})
    assert load_in(tmp_path).project.services["web"].depends_on["x"].required is False


def test_two_services_cannot_have_one_container_name_or_address(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, with_web("container_name: c", "b: {image: i, container_name: c}"))
    assert "also the name of `web`'s container" in found.message

    attributes = "networks: {net: {ipv4_address: 10.9.0.5}}"
    (found,) = problems(tmp_path, with_web(attributes, f"b: {{image: i, {attributes}}}", REST))
    assert "is also `web`'s" in found.message


def test_a_namespace_of_another_container_is_warned_about(tmp_path: Path) -> None:
    write(tmp_path, {"compose.yaml": with_web("ipc: service:db", SERVICES)})
    (warning,) = load_in(tmp_path).warnings
    assert marked(warning) == "service:db"


def test_a_wrong_name_is_shown_in_the_file(tmp_path: Path) -> None:
    found = problem(tmp_path, "", rest="name: '%!'")
    assert marked(found) == "'%!'"


def test_a_name_with_capitals_is_written_small_and_said(tmp_path: Path) -> None:
    write(tmp_path, {"compose.yaml": with_web("", rest="name: Not_A_Name")})
    found = load_in(tmp_path)

    assert found.project.name == "not_a_name"
    assert [warning.message for warning in found.warnings] == ["the project `Not_A_Name` is called `not_a_name`"]


def test_ports_of_the_hosts_network_are_warned_about(tmp_path: Path) -> None:
    write(tmp_path, {"compose.yaml": with_web("network_mode: host\nports: ['80:80']")})
    (warning,) = load_in(tmp_path).warnings
    assert "have no effect with `network_mode: host`" in warning.message


def test_a_wrong_line_in_an_env_file_names_the_file_and_the_place_that_names_it(tmp_path: Path) -> None:
    write(tmp_path, {"bad.env": "A=1\nB='x\n"})
    found = problem(tmp_path, "env_file: bad.env")

    assert found.message == "services.web.env_file[0]: the quote ' is never closed"
    assert found.location is not None
    assert (str(found.location), found.location.source) == ("bad.env:2:3", "B=…")


def test_a_line_that_nobody_wrote_by_hand_is_not_shown(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, f"services: {{web: {{image: i, x-a: {'x' * 2000}, ports: {'y' * 200}}}}}")

    assert found.location is not None
    assert found.location.source == ""
    assert len(found.message) < 150


def test_images_cannot_be_built_from_each_other(tmp_path: Path) -> None:
    other = "a: {build: {context: ., additional_contexts: ['w=service:web']}}"
    found = problem(tmp_path, "build: {context: ., additional_contexts: ['a=service:a']}", other)

    assert found.message == "services.a.build.additional_contexts: images in a circle: `web` → `a` → `web`"


def test_what_a_build_has_no_use_for_of_a_secret_is_told(tmp_path: Path) -> None:
    web = with_web("build: {context: ., secrets: [{source: t, mode: 0400}]}", rest="secrets: {t: {file: ./t}}")
    write(tmp_path, {"compose.yaml": web})

    (warning,) = load_in(tmp_path).warnings
    assert warning.message == "services.web.build.secrets[0].mode is not supported yet and has no effect"


def test_an_image_whose_variable_is_missing_is_told_of_once(tmp_path: Path) -> None:
    text = 'services: {web: {image: "x:${TAG:?say which}"}}'

    assert [found.message for found in problems(tmp_path, text)] == [
        "services.web.image: the variable `TAG` must be set: say which"
    ]
