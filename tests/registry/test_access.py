"""Being let in: passwords, tokens, certificates, against Debian's docker-registry."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from composer.errors import RegistryError
from composer.registry.credentials import Credentials
from composer.registry.login import login, logout
from tests.fakes.faulty_proxy import Fault, faulty_proxy
from tests.fakes.token_server import TokenServer, serving, signer
from tests.fakes.tunnel import tunnel
from tests.make.certificates import Identity, authority, signed
from tests.make.image import Made, entry, tar
from tests.make.registry import Registry, running_registry
from tests.registry.conftest import Home

IMAGE = Made((tar(entry("a", b"content")),), compress=True)
HTPASSWD = "ann:$2b$04$aANNcOhZyMzSLFOVj/viMuPkMGVeVYbGE.8flKqGzyAdXSzqFZI2K\n"
"""ann has the password `secret`."""
CREDENTIALS = ("--dest-creds", "ann:secret")


def auths(registry: Registry, password: str = "secret") -> str:
    auth = base64.b64encode(f"ann:{password}".encode()).decode()
    return json.dumps({"auths": {registry.name: {"auth": auth}}})


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A registry that asks for a password."""
    directory = tmp_path_factory.mktemp("guarded")
    (directory / "htpasswd").write_text(HTPASSWD)
    with running_registry(
        directory, auth={"htpasswd": {"realm": "r", "path": str(directory / "htpasswd")}}
    ) as registry:
        registry.push(IMAGE, "app:1", *CREDENTIALS)
        yield registry


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> Identity:
    return authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory, ca: Identity) -> Iterator[Registry]:
    """A registry that speaks TLS, with a certificate of our authority."""
    directory = tmp_path_factory.mktemp("tls")
    mine = signed(directory, "registry", ca)
    with running_registry(
        directory, http={"tls": {"certificate": str(mine.certificate), "key": str(mine.key)}}
    ) as registry:
        registry.push(IMAGE, "app:1")
        yield registry


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TokenServer]:
    identity = signer(tmp_path_factory.mktemp("tokens"))
    with serving(TokenServer(identity, {"ann": "secret"}, refresh_token="identity!")) as server:
        yield server


@pytest.fixture(scope="module")
def tokened(tmp_path_factory: pytest.TempPathFactory, tokens: TokenServer) -> Iterator[Registry]:
    """A registry that asks for tokens."""
    with running_registry(tmp_path_factory.mktemp("tokened"), **tokens.settings()) as registry:
        registry.push(IMAGE, "public/app:1", *CREDENTIALS)
        registry.push(IMAGE, "private/app:1", *CREDENTIALS)
        yield registry


def test_a_password_that_is_stored_lets_us_in(guarded: Registry, home: Home) -> None:
    with pytest.raises(RegistryError) as refused:
        home.pull(f"{guarded.name}/app:1")
    assert "asks for credentials" in refused.value.message
    assert f"`compose login {guarded.name}`" in refused.value.hint
    assert (refused.value.status, refused.value.code) == (401, "UNAUTHORIZED")

    home.credentials(auths(guarded))
    assert home.pull(f"{guarded.name}/app:1").changed


def test_a_wrong_password_is_told_from_none_and_not_shown(guarded: Registry, home: Home) -> None:
    home.credentials(auths(guarded, "hunter2"))

    with pytest.raises(RegistryError, match="does not accept the credentials") as refused:
        home.pull(f"{guarded.name}/app:1")

    assert "hunter2" not in str(refused.value) + refused.value.hint


def test_login_stores_only_what_the_registry_accepts(guarded: Registry, home: Home) -> None:
    file = home.root / ".docker/config.json"
    with pytest.raises(RegistryError, match="cannot log in"):
        asyncio.run(login(guarded.name, Credentials("ann", "wrong"), home.environment))
    assert not file.exists()

    home.credentials('{"psFormat": "kept"}')
    asyncio.run(login(guarded.name, Credentials("ann", "secret"), home.environment))
    assert file.stat().st_mode & 0o777 == 0o600
    assert json.loads(file.read_text())["psFormat"] == "kept"
    assert home.pull(f"{guarded.name}/app:1").changed
    assert logout(guarded.name, home.environment)
    assert not logout(guarded.name, home.environment)
    with pytest.raises(RegistryError, match="asks for credentials"):
        home.pull(f"{guarded.name}/app:1")


def test_a_certificate_must_be_trusted(tls: Registry, ca: Identity, home: Home) -> None:
    with pytest.raises(RegistryError, match="certificate is not trusted") as refused:
        home.pull(f"{tls.name}/app:1")
    assert "registries.toml" in refused.value.hint

    home.settings(f'[registry."{tls.name}"]\nca = "{ca.certificate}"\n')
    assert home.pull(f"{tls.name}/app:1").changed


def test_plain_http_is_not_spoken_to_who_speaks_tls(tls: Registry, home: Home) -> None:
    home.settings(f'[registry."{tls.name}"]\nplain_http = true\n')

    with pytest.raises(RegistryError):
        home.pull(f"{tls.name}/app:1")


def test_a_client_certificate_is_shown_where_it_is_asked_for(tmp_path: Path, ca: Identity, home: Home) -> None:
    server, client = signed(tmp_path, "server", ca), signed(tmp_path, "client", ca)
    files = {"certificate": str(server.certificate), "key": str(server.key), "clientcas": [str(ca.certificate)]}
    with running_registry(tmp_path / "registry", http={"tls": files}) as registry:
        home.settings(f'[registry."{registry.name}"]\nca = "{ca.certificate}"\n')
        with pytest.raises(RegistryError):
            home.pull(f"{registry.name}/app:1")
        home.settings(
            f'[registry."{registry.name}"]\nca = "{ca.certificate}"\n'
            f'client_certificate = "{client.certificate}"\nclient_key = "{client.key}"\n'
        )
        with pytest.raises(RegistryError, match="no such"):
            home.pull(f"{registry.name}/app:1")


def test_a_token_is_had_without_credentials_where_all_may_pull(
    tokened: Registry, tokens: TokenServer, home: Home
) -> None:
    tokens.asked.clear()

    assert home.pull(f"{tokened.name}/public/app:1").changed

    assert [(method, parameters["scope"], user) for method, parameters, user in tokens.asked] == [
        ("GET", ["repository:public/app:pull"], "")
    ]


def test_a_token_is_had_with_a_password(tokened: Registry, tokens: TokenServer, home: Home) -> None:
    with pytest.raises(RegistryError, match="asks for credentials"):
        home.pull(f"{tokened.name}/private/app:1")
    home.credentials(auths(tokened))
    tokens.asked.clear()

    assert home.pull(f"{tokened.name}/private/app:1").changed
    assert [user for _, _, user in tokens.asked] == ["ann"]


def test_a_token_is_had_with_an_identity_token(tokened: Registry, tokens: TokenServer, home: Home) -> None:
    home.credentials(json.dumps({"auths": {tokened.name: {"identitytoken": "identity!"}}}))
    tokens.asked.clear()

    assert home.pull(f"{tokened.name}/private/app:1").changed
    ((method, parameters, user),) = tokens.asked
    assert (method, user, parameters["grant_type"]) == ("POST", "identity", ["refresh_token"])


def test_login_to_a_registry_of_tokens_asks_for_one(tokened: Registry, home: Home) -> None:
    with pytest.raises(RegistryError, match="does not accept the credentials"):
        asyncio.run(login(tokened.name, Credentials("ann", "wrong"), home.environment))

    stored = asyncio.run(login(tokened.name, Credentials("ann", "secret"), home.environment))

    assert "config.json" in stored


def test_a_credential_helper_is_asked(guarded: Registry, home: Home) -> None:
    helper = home.root / "docker-credential-test"
    helper.write_text(
        "#!/bin/sh\n"
        'read server\necho "$1 $server" >> "$HOME/asked"\n'
        '[ "$1" = get ] && echo \'{"ServerURL": "x", "Username": "ann", "Secret": "secret"}\'\nexit 0\n'
    )
    helper.chmod(0o755)
    home.variables["PATH"] = f"{home.root}:/usr/bin:/bin"
    home.credentials(json.dumps({"credHelpers": {guarded.name: "test"}}))

    assert home.pull(f"{guarded.name}/app:1").changed
    assert (home.root / "asked").read_text() == f"get {guarded.name}\n"


def test_a_helper_that_is_not_installed_is_named(guarded: Registry, home: Home) -> None:
    from composer.errors import UsageError

    home.credentials('{"credsStore": "nowhere"}')

    with pytest.raises(UsageError, match="docker-credential-nowhere"):
        home.pull(f"{guarded.name}/app:1")


def test_a_token_to_push_lets_blobs_be_mounted_too(tokened: Registry, tokens: TokenServer, home: Home) -> None:
    home.credentials(auths(tokened))
    home.pull(f"{tokened.name}/private/app:1")
    home.store.tag(f"{tokened.name}/private/app:1", f"{tokened.name}/other/app:1")
    tokens.asked.clear()

    home.push(f"{tokened.name}/other/app:1")

    scopes = [parameters["scope"] for _, parameters, _ in tokens.asked]
    assert scopes == [
        ["repository:other/app:pull,push"],
        ["repository:other/app:pull,push", "repository:private/app:pull"],
    ]


def test_a_token_that_expires_midway_is_replaced(tokened: Registry, tokens: TokenServer, home: Home) -> None:
    with faulty_proxy(tokened.port) as proxy:
        home.credentials(auths(tokened).replace(tokened.name, proxy.name))
        proxy.faults += [Fault("GET .*/manifests/", status=401), Fault("GET .*/blobs/", status=401)]
        tokens.asked.clear()

        assert home.pull(f"{proxy.name}/private/app:1").changed

    assert len(tokens.asked) == 3


def test_a_token_that_is_refused_again_is_not_asked_for_for_ever(
    tokened: Registry, tokens: TokenServer, home: Home
) -> None:
    with faulty_proxy(tokened.port) as proxy:
        home.credentials(auths(tokened).replace(tokened.name, proxy.name))
        proxy.faults += [Fault("GET .*/manifests/", times=99, status=401)]
        tokens.asked.clear()

        with pytest.raises(RegistryError, match="does not accept"):
            home.pull(f"{proxy.name}/private/app:1")

    assert len(tokens.asked) == 2


def test_a_proxy_of_the_environment_is_used(guarded: Registry, home: Home) -> None:
    name = "registry.test"
    home.settings(f'[registry."{name}"]\nplain_http = true\n')
    home.credentials(auths(guarded).replace(guarded.name, name))
    with faulty_proxy(guarded.port) as proxy:
        home.variables["http_proxy"] = f"http://{proxy.name}"

        assert home.pull(f"{name}/app:1").changed

        assert {path.partition("/v2/")[0] for _, path, _ in proxy.seen} == {f"http://{name}"}
        home.variables["no_proxy"] = ".test"
        with pytest.raises(RegistryError, match="cannot reach"):
            home.pull(f"{name}/app:2")


def test_tls_goes_through_a_proxy_that_asks_for_a_password(tmp_path: Path, ca: Identity, home: Home) -> None:
    mine = signed(tmp_path / "tls", "registry", ca, "DNS:registry.test,IP:127.0.0.1")
    files = {"certificate": str(mine.certificate), "key": str(mine.key)}
    with running_registry(tmp_path / "registry", http={"tls": files}) as registry:
        registry.push(IMAGE, "app:1")
        home.settings(f'[registry."registry.test"]\nca = "{ca.certificate}"\n')
        with tunnel(registry.port, "ann:secret") as proxy:
            home.variables["HTTPS_PROXY"] = f"http://ann:wrong@127.0.0.1:{proxy.port}"
            with pytest.raises(RegistryError, match="the proxy says 407") as refused:
                home.pull("registry.test/app:1")
            home.variables["HTTPS_PROXY"] = f"http://ann:secret@127.0.0.1:{proxy.port}"

            assert home.pull("registry.test/app:1").changed

        assert set(proxy.asked) == {"registry.test:443"}
        assert "wrong" not in refused.value.message + refused.value.hint
