"""Data: what survives, what goes, and who owns it."""

from __future__ import annotations

import os

from tests.e2e.harness import IDLE, Engine

STORE = f"""
services:
  store:
    image: host
    command: {IDLE}
    environment: {{V: "1"}}
    volumes:
      - data:/data
      - /cache
volumes:
  data:
"""


def test_a_named_volume_survives_down_and_goes_with_down_v(engine: Engine) -> None:
    shop = engine.project(STORE)
    shop.up()
    shop.exec("store", "sh", "-c", "echo kept > /data/file")

    shop.down()
    shop.up()
    assert shop.exec("store", "cat", "/data/file").stdout == "kept\n"

    shop.down("-v")
    shop.up()
    assert shop.compose("exec", "-T", "store", "cat", "/data/file").code == 1

    shop.down("-v")
    assert list((engine.data / "volumes").iterdir()) == [], "an anonymous volume of an earlier container is left"


def test_down_v_of_one_project_leaves_the_data_of_another(engine: Engine) -> None:
    shop, mall = engine.project(STORE), engine.project(STORE, name="mall")
    shop.up()
    mall.up()
    mall.exec("store", "sh", "-c", "echo mine > /data/file")

    shop.down("-v")

    assert mall.exec("store", "cat", "/data/file").stdout == "mine\n"


def test_an_anonymous_volume_is_kept_when_its_container_is_recreated(engine: Engine) -> None:
    shop = engine.project(STORE)
    shop.up()
    first = shop.container("store")["ID"]
    shop.exec("store", "sh", "-c", "echo cached > /cache/file; echo gone > /srv/file")

    shop.edit('V: "1"', 'V: "2"')
    shop.up()
    assert shop.container("store")["ID"] != first
    assert shop.exec("store", "cat", "/cache/file").stdout == "cached\n"
    assert shop.compose("exec", "-T", "store", "cat", "/srv/file").code == 1, "the writable layer was kept"

    shop.up("--force-recreate", "-V")
    assert shop.compose("exec", "-T", "store", "cat", "/cache/file").code == 1


def test_an_external_volume_must_exist_and_is_never_removed(engine: Engine) -> None:
    maker = engine.project(STORE, name="maker")
    maker.up()
    maker.exec("store", "sh", "-c", "echo shared > /data/file")
    shop = engine.project(f"""
        services:
          reader: {{image: host, command: {IDLE}, volumes: ["theirs:/data:ro"]}}
        volumes:
          theirs: {{external: true, name: maker_data}}
    """)
    shop.up()
    assert shop.exec("reader", "cat", "/data/file").stdout == "shared\n"
    assert "Read-only" in shop.compose("exec", "-T", "reader", "touch", "/data/x").output

    shop.down("-v")
    assert maker.exec("store", "cat", "/data/file").stdout == "shared\n"

    shop.edit("maker_data", "nobody_data")
    missing = shop.compose("up", "-d")
    assert missing.code != 0
    assert "nobody_data" in missing.output
    assert "external" in missing.output


def test_a_bind_mount_shows_both_sides_the_same_file(engine: Engine) -> None:
    shop = engine.project(
        f"""
        services:
          web:
            image: host
            command: {IDLE}
            volumes:
              - ./src:/src
              - ./conf/app.ini:/etc/app.ini:ro
              - type: bind
                source: ./made
                target: /made
                bind: {{create_host_path: true}}
        """,
        files={"src/a": "one", "conf/app.ini": "[app]\n"},
    )
    shop.up()

    assert shop.exec("web", "cat", "/src/a", "/etc/app.ini").stdout == "one[app]\n"
    (shop.directory / "src/a").write_text("two")
    assert shop.exec("web", "cat", "/src/a").stdout == "two"
    shop.exec("web", "sh", "-c", "echo back > /src/b")
    assert (shop.directory / "src/b").read_text() == "back\n"
    assert shop.compose("exec", "-T", "web", "sh", "-c", "echo x > /etc/app.ini").code != 0
    assert (shop.directory / "made").is_dir()


def test_a_created_bind_source_belongs_to_the_owner_of_its_parent(engine: Engine) -> None:
    shop = engine.project(f"services:\n  web:\n    image: host\n    command: {IDLE}\n    volumes: ['./made/deep:/m']\n")
    os.chown(shop.directory, 1234, 1234)
    shop.up()

    assert (shop.directory / "made/deep").stat().st_uid == 1234


def test_a_new_volume_is_seeded_from_the_image_with_its_owners(stocked: Engine) -> None:
    shop = stocked.project("""
        services:
          db:
            image: postgres:15
            user: postgres
            entrypoint: ["sh", "-c", "trap 'exit 0' TERM; sleep infinity & wait"]
            volumes: ["data:/var/lib/postgresql/data", "etc:/etc"]
        volumes:
          data:
          etc:
    """)
    shop.up()

    listed = shop.exec("db", "stat", "-c", "%U %a", "/var/lib/postgresql/data").stdout.strip()
    assert listed == "postgres 700"
    assert "postgres" in shop.exec("db", "cat", "/etc/passwd").stdout
    shop.exec("db", "touch", "/var/lib/postgresql/data/mine")
