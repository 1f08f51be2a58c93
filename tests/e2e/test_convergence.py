"""`up` leads from what is to what should be, says why, and does nothing where nothing changed."""

from __future__ import annotations

from tests.e2e.harness import IDLE, Engine

TWO = f"""
services:
  web:
    image: host
    command: {IDLE}
    environment: {{COLOUR: blue}}
    depends_on: [db]
  db:
    image: host
    command: {IDLE}
    volumes: ["data:/data"]
volumes:
  data:
"""


def test_a_second_up_has_an_empty_plan(engine: Engine) -> None:
    shop = engine.project(TWO)
    first = shop.compose("up", "-d", "--dry-run", check=True)
    assert "shop-web-1" in first.output
    assert shop.ps() == {}, "a dry run changed something"

    shop.up()
    before = shop.ps()
    again = shop.compose("up", "-d", "--dry-run", check=True)
    assert "shop-web-1" not in again.stdout, again
    shop.up()

    assert {name: entry["ID"] for name, entry in shop.ps().items()} == {
        name: entry["ID"] for name, entry in before.items()
    }
    assert {name: entry["Pid"] for name, entry in shop.ps().items()} == {
        name: entry["Pid"] for name, entry in before.items()
    }


def test_a_changed_attribute_recreates_exactly_that_service_and_says_why(engine: Engine) -> None:
    shop = engine.project(TWO)
    shop.up()
    before = shop.ps()

    shop.edit("COLOUR: blue", "COLOUR: green")
    plan = shop.compose("up", "-d", "--dry-run", check=True).output
    assert "environment" in plan
    assert "COLOUR" in plan
    assert "green" not in plan, "values of the environment may be secrets"
    result = shop.up()

    after = shop.ps()
    assert after["shop-web-1"]["ID"] != before["shop-web-1"]["ID"]
    assert after["shop-db-1"]["ID"] == before["shop-db-1"]["ID"]
    assert "COLOUR" in result.output
    assert "shop-db-1  Recreate" not in result.output
    assert shop.exec("web", "sh", "-c", "echo $COLOUR").stdout.strip() == "green"


def test_force_recreate_and_no_recreate_overrule_the_comparison(engine: Engine) -> None:
    shop = engine.project(TWO)
    shop.up()
    before = shop.ps()

    shop.edit("COLOUR: blue", "COLOUR: green")
    shop.up("--no-recreate")
    assert shop.ps()["shop-web-1"]["ID"] == before["shop-web-1"]["ID"]

    shop.up("--force-recreate")
    assert {entry["ID"] for entry in shop.ps().values()}.isdisjoint(entry["ID"] for entry in before.values())


def test_up_of_one_service_brings_its_dependencies_and_nothing_else(engine: Engine) -> None:
    shop = engine.project(TWO)
    shop.edit("  db:\n", f"  other:\n    image: host\n    command: {IDLE}\n  db:\n")

    shop.up("--no-deps", "web")
    assert set(shop.ps()) == {"shop-web-1"}
    shop.up("web")
    assert set(shop.ps()) == {"shop-web-1", "shop-db-1"}


def test_a_container_that_ended_is_started_again_by_up(engine: Engine) -> None:
    shop = engine.project(TWO)
    shop.up()
    before = shop.container("web")
    shop.compose("kill", "web", check=True)
    shop.wait_state("web", "exited")

    shop.up()

    assert shop.container("web")["State"] == "running"
    assert shop.container("web")["ID"] == before["ID"]


def test_an_orphan_is_named_and_removed_when_asked(engine: Engine) -> None:
    shop = engine.project(TWO)
    shop.up()
    shop.write(
        f"services:\n  db:\n    image: host\n    command: {IDLE}\n    volumes: ['data:/data']\nvolumes:\n  data:\n"
    )

    result = shop.up()
    assert "orphan" in result.output
    assert "shop-web-1" in result.output
    assert "shop-web-1" in shop.ps("--orphans") if "--orphans" in result.output else True

    shop.up("--remove-orphans")
    assert set(shop.ps()) == {"shop-db-1"}


def test_scale_grows_and_shrinks_from_the_highest_number(engine: Engine) -> None:
    shop = engine.project(f"services:\n  web:\n    image: host\n    command: {IDLE}\n")
    shop.up("--scale", "web=3")
    three = shop.ps()
    assert set(three) == {"shop-web-1", "shop-web-2", "shop-web-3"}

    shop.up("--scale", "web=1")
    assert set(shop.ps()) == {"shop-web-1"}
    assert shop.ps()["shop-web-1"]["ID"] == three["shop-web-1"]["ID"]

    shop.up("--scale", "web=0")
    assert shop.ps() == {}


def test_scale_as_a_command_leaves_other_services_alone(engine: Engine) -> None:
    shop = engine.project(f"services:\n  web: &x {{image: host, command: {IDLE}}}\n  db: *x\n  other: *x\n")

    shop.compose("scale", "web=2", "db=0", check=True)
    assert set(shop.ps()) == {"shop-web-1", "shop-web-2"}
    shop.compose("scale", "web=1", check=True)
    assert set(shop.ps()) == {"shop-web-1"}
    assert "error: `web` is not SERVICE=NUMBER" in shop.compose("scale", "web").stderr


def test_replicas_of_the_file_and_of_deploy_are_honoured(engine: Engine) -> None:
    shop = engine.project(f"""
        services:
          web: {{image: host, command: {IDLE}, scale: 2}}
          api: {{image: host, command: {IDLE}, deploy: {{replicas: 2}}}}
    """)
    shop.up()

    assert set(shop.ps()) == {"shop-web-1", "shop-web-2", "shop-api-1", "shop-api-2"}


def test_a_service_of_a_profile_comes_up_with_its_profile_only(engine: Engine) -> None:
    shop = engine.project(f"""
        services:
          web: {{image: host, command: {IDLE}}}
          debug: {{image: host, command: {IDLE}, profiles: [tools]}}
    """)
    shop.up()
    assert set(shop.ps()) == {"shop-web-1"}

    shop.compose("--profile", "tools", "up", "-d", check=True)
    assert set(shop.ps()) == {"shop-web-1", "shop-debug-1"}

    shop.compose("--profile", "tools", "down", check=True)
    assert shop.ps() == {}


def test_down_works_by_the_projects_name_without_its_file(engine: Engine) -> None:
    shop = engine.project(TWO)
    shop.up()

    engine.compose("-p", "shop", "down", "-v", check=True)

    assert shop.ps() == {}


def test_ls_lists_projects_with_their_state(engine: Engine) -> None:
    shop = engine.project(TWO)
    shop.up()

    assert "running(2)" in engine.compose("ls", check=True).stdout
    assert str(shop.directory / "compose.yaml") in engine.compose("ls", check=True).stdout
    shop.down("-v")
    assert "shop" not in engine.compose("ls", check=True).stdout


def test_config_prints_the_canonical_project(engine: Engine) -> None:
    shop = engine.project("""
        services:
          web:
            image: host
            command: sleep ${SECONDS_OF_SLEEP:-5}
            ports: ["8080:80"]
            environment: [A=1]
    """)

    result = shop.compose("config", check=True)

    assert "name: shop" in result.stdout
    assert "target: 80" in result.stdout
    assert 'published: "8080"' in result.stdout or "published: '8080'" in result.stdout
    assert shop.compose("config", "--services", check=True).lines() == ["web"]
    assert shop.compose("config", "-q", check=True).stdout == ""
