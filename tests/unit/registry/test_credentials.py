from __future__ import annotations

import base64
import json
import stat
from pathlib import Path
from typing import Any

import pytest

from composer.errors import UsageError
from composer.registry.credentials import Credentials, DockerConfig
from composer.registry.endpoints import HUB_KEY


def auth(pair: str) -> str:
    return base64.b64encode(pair.encode()).decode()


def config(tmp_path: Path, document: Any = None, **environment: str) -> DockerConfig:
    path = tmp_path / "docker/config.json"
    if document is not None:
        path.parent.mkdir(exist_ok=True)
        path.write_text(document if isinstance(document, str) else json.dumps(document))
    return DockerConfig(path, environment)


def helper(tmp_path: Path, name: str, script: str) -> str:
    """A credential helper; the PATH that finds it."""
    program = tmp_path / f"docker-credential-{name}"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return f"{tmp_path}:/usr/bin:/bin"


def test_without_a_file_there_are_no_credentials(tmp_path: Path) -> None:
    assert config(tmp_path).get("registry.test") is None
    assert config(tmp_path, "").get("registry.test") is None


@pytest.mark.parametrize(
    "key", ["registry.test", "https://registry.test", "https://registry.test/v1/", "http://registry.test"]
)
def test_credentials_are_found_however_their_key_was_written(tmp_path: Path, key: str) -> None:
    file = config(tmp_path, {"auths": {key: {"auth": auth("ann:pass:word")}, "other.test": {"auth": auth("x:y")}}})

    assert file.get("registry.test") == Credentials("ann", "pass:word")


def test_docker_hub_is_found_by_its_address(tmp_path: Path) -> None:
    assert config(tmp_path, {"auths": {HUB_KEY: {"auth": auth("ann:secret")}}}).get(HUB_KEY) == Credentials(
        "ann", "secret"
    )


def test_an_identity_token_goes_with_its_user(tmp_path: Path) -> None:
    entry = {"auth": auth("00000000:"), "identitytoken": "refresh"}

    assert config(tmp_path, {"auths": {"r.test": entry}}).get("r.test") == Credentials("00000000", "", "refresh")


def test_an_entry_that_says_nothing_is_none(tmp_path: Path) -> None:
    assert config(tmp_path, {"auths": {"r.test": {}}}).get("r.test") is None


@pytest.mark.parametrize("text", ["{", "[]", "\xff", '{"auths": {"r.test": {"auth": "no base64!"}}}'])
def test_a_damaged_file_is_named(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError, match=r"config\.json"):
        config(tmp_path, text).get("r.test")


def test_storing_keeps_what_is_not_ours_and_lets_nobody_else_read(tmp_path: Path) -> None:
    file = config(tmp_path, {"auths": {"a.test": {"auth": auth("a:b")}}, "HttpHeaders": {"x": "y"}})

    file.put("r.test", Credentials("ann", "secret"))

    path = tmp_path / "docker/config.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert json.loads(path.read_text()) == {
        "auths": {"a.test": {"auth": auth("a:b")}, "r.test": {"auth": auth("ann:secret")}},
        "HttpHeaders": {"x": "y"},
    }
    assert list(path.parent.iterdir()) == [path]
    assert file.remove("r.test")
    assert not file.remove("r.test")
    assert file.get("a.test") == Credentials("a", "b")


def test_a_file_that_is_a_link_stays_one(tmp_path: Path) -> None:
    real = tmp_path / "real.json"
    real.write_text("{}")
    (tmp_path / "docker").mkdir()
    (tmp_path / "docker/config.json").symlink_to(real)

    config(tmp_path).put("r.test", Credentials("ann", "secret"))

    assert (tmp_path / "docker/config.json").is_symlink()
    assert "r.test" in json.loads(real.read_text())["auths"]


def test_the_helper_of_a_host_comes_before_the_one_for_all(tmp_path: Path) -> None:
    path = helper(tmp_path, "one", """read x; echo '{"Username": "one", "Secret": "1"}'""")
    helper(tmp_path, "all", """read x; echo '{"Username": "<token>", "Secret": "2"}'""")
    file = config(tmp_path, {"credsStore": "all", "credHelpers": {"r.test": "one"}}, PATH=path)

    assert file.get("r.test") == Credentials("one", "1")
    assert file.get("other.test") == Credentials(identity_token="2")


def test_a_helper_stores_and_erases(tmp_path: Path) -> None:
    script = (
        f'cat > {tmp_path}/$1\n[ "$1" = get ] && {{ [ -e {tmp_path}/store ] && cat {tmp_path}/store '
        "|| { echo credentials not found in native keychain; exit 1; }; }\nexit 0"
    )
    file = config(tmp_path, {"credsStore": "mem"}, PATH=helper(tmp_path, "mem", script))

    assert file.get("r.test") is None
    file.put("r.test", Credentials("ann", "secret"))
    assert json.loads((tmp_path / "store").read_text()) == {
        "ServerURL": "r.test",
        "Username": "ann",
        "Secret": "secret",
    }
    assert "auths" not in json.loads((tmp_path / "docker/config.json").read_text())
    assert file.remove("r.test")
    assert (tmp_path / "erase").read_text() == "r.test"


@pytest.mark.parametrize("script", ["echo nonsense", "echo '[]'", "echo locked; exit 1"])
def test_a_helper_that_fails_is_named(tmp_path: Path, script: str) -> None:
    file = config(tmp_path, {"credsStore": "bad"}, PATH=helper(tmp_path, "bad", script))

    with pytest.raises(UsageError, match="docker-credential-bad"):
        file.get("r.test")


def test_secrets_are_not_part_of_what_is_printed() -> None:
    assert "secret" not in repr(Credentials("ann", "secret", "secret"))
