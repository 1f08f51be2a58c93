from __future__ import annotations

from pathlib import Path

import pytest

from composer.errors import UsageError
from composer.paths import configuration_directory
from composer.registry.access import Access
from composer.registry.endpoints import HUB_KEY, endpoint_of, endpoints_for_pull, is_loopback
from composer.registry.login import registry_named
from composer.registry.settings import Settings, read_settings
from composer.registry.transport import redacted


def settings(tmp_path: Path, text: str) -> Settings:
    (tmp_path / "registries.toml").write_text(text)
    return read_settings(tmp_path)


@pytest.mark.parametrize(
    ("registry", "schemes"),
    [
        ("registry.test", ("https",)),
        ("registry.test:5000", ("https",)),
        ("10.0.0.1:5000", ("https",)),
        ("localhost:5000", ("https", "http")),
        ("127.0.0.1:5000", ("https", "http")),
        ("127.8.9.1", ("https", "http")),
        ("[::1]:5000", ("https", "http")),
        ("localhost.registry.test", ("https",)),
        ("127.0.0.1.registry.test", ("https",)),
    ],
)
def test_plain_http_is_for_loopback_alone(registry: str, schemes: tuple[str, ...]) -> None:
    assert endpoint_of(registry, Settings()).schemes == schemes


def test_docker_hub_has_another_host_and_another_key() -> None:
    hub = endpoint_of("docker.io", Settings())

    assert (hub.host, hub.credentials_key) == ("registry-1.docker.io", HUB_KEY)


def test_settings_say_where_and_how_to_ask(tmp_path: Path) -> None:
    read = settings(
        tmp_path,
        """
        [registry."docker.io"]
        mirrors = ["mirror.test", "https://cache.test:5000/hub/", "http://plain.test"]
        [registry."mirror.test"]
        ca = "ca.pem"
        [registry."lan.test:5000"]
        plain_http = true
        """,
    )

    first, second, third, hub = endpoints_for_pull("docker.io", read)
    assert (first.host, first.schemes, first.ca, first.mirror) == ("mirror.test", ("https",), tmp_path / "ca.pem", True)
    assert (second.host, second.prefix, second.schemes) == ("cache.test:5000", "hub/", ("https",))
    assert (third.host, third.schemes) == ("plain.test", ("http",))
    assert (hub.host, hub.mirror) == ("registry-1.docker.io", False)
    assert endpoint_of("lan.test:5000", read).schemes == ("http",)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("registry = 1", "registry"),
        ("[registry.x]\nmirror = []", "may have `mirrors`, `plain_http`"),
        ('[registry.x]\nplain_http = "yes"', "plain_http"),
        ("[registry", "registries.toml"),
    ],
)
def test_a_wrong_file_is_explained(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(UsageError) as refused:
        settings(tmp_path, text)

    assert words in refused.value.message + refused.value.hint


def test_a_mirror_that_is_no_address_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="the mirror"):
        endpoints_for_pull("x.test", settings(tmp_path, '[registry."x.test"]\nmirrors = ["ftp://m.test"]'))


def test_certificates_that_are_not_there_are_named(tmp_path: Path) -> None:
    endpoint = endpoint_of("x.test", settings(tmp_path, '[registry."x.test"]\nca = "none.pem"'))

    with pytest.raises(UsageError, match=r"none\.pem.*no such file"):
        endpoint.tls()


def test_the_configuration_is_the_users_own() -> None:
    assert configuration_directory({"HOME": "/home/ann"}, 1000) == Path("/home/ann/.config/composer")
    assert configuration_directory({"XDG_CONFIG_HOME": "/x"}, 1000) == Path("/x/composer")
    assert configuration_directory({"HOME": "/root"}, 0) == Path("/etc/composer")
    assert configuration_directory({"COMPOSER_CONFIG": "/c"}, 0) == Path("/c")


def test_proxies_are_those_of_the_environment_but_never_for_this_machine() -> None:
    access = Access.of(
        {
            "HOME": "/nowhere",
            "HTTPS_PROXY": "proxy.test:3128",
            "http_proxy": "http://plain.test",
            "NO_PROXY": "lan.test",
        }
    )

    assert access.proxy("https://registry.test/v2/") == "http://proxy.test:3128"
    assert access.proxy("http://registry.test/v2/") == "http://plain.test"
    assert access.proxy("https://lan.test/v2/") == ""
    assert access.proxy("https://a.lan.test:5000/v2/") == ""
    assert access.proxy("http://localhost:5000/v2/") == ""
    assert access.proxy("http://127.0.0.1:5000/v2/") == ""


@pytest.mark.parametrize(
    ("server", "registry"),
    [
        ("", "docker.io"),
        ("https://index.docker.io/v1/", "docker.io"),
        ("https://r.test/", "r.test"),
        ("r.test:5000", "r.test:5000"),
    ],
)
def test_login_names_a_registry_as_references_do(server: str, registry: str) -> None:
    assert registry_named(server) == registry


def test_login_refuses_what_is_no_registry() -> None:
    for server in ("r.test/app", "https://r.test/v2/", "https://ann@r.test"):
        with pytest.raises(UsageError, match="not a registry") as caught:
            registry_named(server)
        assert caught.value.hint == "name its host: `compose login r.test`"


def test_addresses_are_shown_without_secrets() -> None:
    assert redacted("https://ann:secret@r.test/v2/x?signature=secret") == "https://r.test/v2/x"


def test_a_name_that_looks_like_loopback_is_none() -> None:
    assert not is_loopback("localhost.evil.test")
    assert is_loopback("app.localhost:80")
