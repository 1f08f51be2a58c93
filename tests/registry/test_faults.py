"""Registries and networks that misbehave: what passes is got over, what does not is told, and nothing half is kept."""

from __future__ import annotations

import asyncio
import json
import random
import socket
from collections.abc import Callable

import pytest

from composer.errors import ComposerError, ImageError, RegistryError
from composer.oci.digest import Digest
from composer.oci.reference import parse
from composer.registry.access import Access
from composer.registry.progress import LayerProgress, Phase
from tests.fakes.faulty_proxy import Fault, FaultyProxy
from tests.make.image import Made, entry, tar
from tests.make.registry import Registry
from tests.registry.conftest import Home

NOISE = random.Random(7).randbytes(3_000_000)  # content that does not compress
IMAGE = Made((tar(entry("big", NOISE)), tar(entry("small", b"content"))), compress=True)
BLOB = "GET .*/blobs/"
BIG = f"GET .*/blobs/{Digest.of(IMAGE.blobs[0])}"
CONFIG = f"GET .*/blobs/{Digest.of(IMAGE.config)}"
MANIFEST = "GET .*/manifests/"


@pytest.fixture(scope="module", autouse=True)
def pushed(registry: Registry) -> None:
    registry.push(IMAGE, "app:1")


def pulled(home: Home, proxy: FaultyProxy, *faults: Fault, name: str = "app:1") -> None:
    """Pull through the proxy, which must succeed, whole."""
    proxy.faults.extend(faults)
    image = home.pull(f"{proxy.name}/{name}").image
    assert (image.layers[1] / "big").read_bytes() == NOISE


def refused(home: Home, proxy: FaultyProxy, *faults: Fault, name: str = "app:1") -> ComposerError:
    """Pull through the proxy, which must fail and leave nothing; the error."""
    proxy.faults.extend(faults)
    with pytest.raises((RegistryError, ImageError)) as error:
        home.pull(f"{proxy.name}/{name}")
    assert home.store.list() == ()
    assert list(home.store.snapshots.all()) == []
    assert list(home.store.blobs.all()) == []
    return error.value


def always(matching: str, **how: object) -> Fault:
    return Fault(matching, times=1000, **how)  # type: ignore[arg-type]  # as the caller says


def test_a_blob_that_breaks_off_is_taken_up_where_it_was(home: Home, proxy: FaultyProxy) -> None:
    pulled(home, proxy, Fault(BIG, drop_after=1_000_000), Fault(BIG, drop_after=500_000))

    ranges = [headers.get("Range", "") for method, path, headers in proxy.seen if "blobs" in path]
    assert sum(bool(each) for each in ranges) == 2


def test_a_registry_that_cannot_begin_in_the_middle_is_read_from_the_front(home: Home, proxy: FaultyProxy) -> None:
    pulled(home, proxy, Fault(BIG, drop_after=1_000_000), Fault(BIG, ignore_range=True))


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_what_may_pass_is_tried_again(home: Home, proxy: FaultyProxy, status: int) -> None:
    pulled(
        home, proxy, Fault(MANIFEST, status=status), Fault(BIG, times=2, status=status), Fault(CONFIG, status=status)
    )

    assert len(home.clock.slept) == 4


def test_a_pause_that_the_registry_asks_for_is_kept(home: Home, proxy: FaultyProxy) -> None:
    pulled(home, proxy, Fault(BIG, status=429, headers={"Retry-After": "7"}))

    assert home.clock.slept == [7.0]


def test_a_limit_of_hours_is_told_and_not_waited_for(home: Home, proxy: FaultyProxy) -> None:
    limit = {"Retry-After": "10800", "RateLimit-Limit": "100;w=21600"}
    error = refused(home, proxy, always(MANIFEST, status=429, headers=limit))

    assert home.clock.slept == []
    assert "no more requests" in error.message
    assert error.hint.startswith("try again in 3 h; the limit is 100 in 6 h; `compose login")


@pytest.mark.parametrize("status", [400, 403, 404, 418])
def test_what_will_not_pass_is_not_tried_again(home: Home, proxy: FaultyProxy, status: int) -> None:
    refused(home, proxy, always(MANIFEST, status=status))

    assert proxy.asked(MANIFEST) == 1


def test_trouble_that_stays_is_given_up(home: Home, proxy: FaultyProxy) -> None:
    body = json.dumps({"errors": [{"code": "UNAVAILABLE", "message": "being mended\x1b[31m"}]}).encode()
    error = refused(home, proxy, always(MANIFEST, status=503, body=body))

    assert "trouble of its own, status 503 (being mended" in error.message
    assert proxy.asked(MANIFEST) == 5


def test_a_refusal_is_read_only_so_far(home: Home, proxy: FaultyProxy) -> None:
    error = refused(home, proxy, always(MANIFEST, status=403, body=b"{", endless=True))

    assert "denies it" in error.message


@pytest.mark.parametrize(
    ("what", "change"),
    [
        (BIG, lambda data: bytes([*data[:5000], data[5000] ^ 1, *data[5001:]])),
        (BIG, lambda data: b"\0" * len(data)),
        (BIG, lambda data: data + b"more"),
        (CONFIG, lambda data: data.replace(b"linux", b"linus")),
        (CONFIG, lambda data: data + b" "),
        (MANIFEST, lambda data: data.replace(b"schemaVersion", b"schemaversion")),
    ],
    ids=["a bit", "zeros", "too long", "config", "long config", "manifest"],
)
def test_wrong_bytes_are_fetched_again_and_never_used(
    home: Home, proxy: FaultyProxy, what: str, change: Callable[[bytes], bytes]
) -> None:
    refused(home, proxy, always(what, change=change))
    proxy.faults.clear()
    pulled(home, proxy, Fault(what, change=change))


def test_a_body_that_is_too_short_is_not_used(home: Home, proxy: FaultyProxy) -> None:
    error = refused(home, proxy, always(BIG, change=lambda data: data[:0]))

    assert "sent 0 of the" in error.message


@pytest.mark.parametrize("what", [BIG, CONFIG, MANIFEST])
def test_an_endless_body_is_cut_off(home: Home, proxy: FaultyProxy, what: str) -> None:
    refused(home, proxy, always(what, endless=True))


def test_a_silent_registry_is_given_up(home: Home, proxy: FaultyProxy) -> None:
    home.silence = 0.1

    error = refused(home, proxy, always(BIG, pause=0.5))

    assert "did not answer in time" in error.message


@pytest.mark.parametrize("name", ["no-such-host.invalid", "127.0.0.1:1"])
def test_who_cannot_be_reached_is_told_with_what_to_try(home: Home, name: str) -> None:
    with pytest.raises(RegistryError, match=f"cannot pull `{name}/app:1`: cannot reach `https://{name}/v2/`") as pull:
        home.pull(f"{name}/app:1")

    for word in ("network", "`compose image load`", "`compose image import`", "registries.toml"):
        assert word in pull.value.hint


def test_a_name_that_does_not_exist_is_not_asked_for_again(home: Home) -> None:
    with pytest.raises(socket.gaierror) as resolver:
        socket.getaddrinfo("no-such-host.invalid", 443)
    if resolver.value.errno != socket.EAI_NONAME:
        pytest.skip("needs a resolver that answers")

    with pytest.raises(RegistryError, match="name is not known"):
        home.pull("no-such-host.invalid/app:1")

    assert home.clock.slept == []


def test_redirects_in_circles_are_left(home: Home, proxy: FaultyProxy) -> None:
    location = {"Location": "/v2/app/manifests/1"}

    error = refused(home, proxy, always(MANIFEST, status=307, headers=location))

    assert "in circles" in error.message


@pytest.mark.parametrize("target", ["https://127.0.0.1:1/x", "file:///etc/passwd", "ftp://127.0.0.1/x", "gopher:x"])
def test_a_redirect_never_leads_to_another_scheme(home: Home, proxy: FaultyProxy, target: str) -> None:
    error = refused(home, proxy, always(BLOB, status=307, headers={"Location": f"{target}?signature=secret"}))

    assert "another scheme" in error.message
    assert "secret" not in error.message


def test_credentials_do_not_follow_a_redirect_to_another_host(
    home: Home, proxy: FaultyProxy, registry: Registry
) -> None:
    from tests.fakes.faulty_proxy import faulty_proxy

    home.credentials(json.dumps({"auths": {proxy.name: {"auth": "YW5uOnNlY3JldA=="}}}))
    challenge = {"WWW-Authenticate": 'Basic realm="r"'}
    with faulty_proxy(registry.port) as other:
        path = f"/v2/app/blobs/{Digest.of(IMAGE.blobs[0])}"
        away = {"Location": f"http://{other.name}{path}"}
        pulled(home, proxy, Fault("GET /v2/$", status=401, headers=challenge), always(BIG, status=307, headers=away))

        assert [headers.get("Authorization") for _, path, headers in proxy.seen if "blobs" in path] == [
            "Basic YW5uOnNlY3JldA=="
        ] * 3
        assert [headers.get("Authorization") for _, _, headers in other.seen] == [None]


@pytest.mark.parametrize(
    ("media_type", "words"),
    [
        ("application/vnd.docker.distribution.manifest.v1+prettyjws", "schema 1"),
        ("text/html", "`text/html` instead of a manifest"),
        ("", "nothing of a type"),
    ],
)
def test_what_is_no_manifest_of_ours_is_refused(home: Home, proxy: FaultyProxy, media_type: str, words: str) -> None:
    assert words in refused(home, proxy, always(MANIFEST, headers={"Content-Type": media_type})).message


def test_an_index_lists_the_platforms_there_are(home: Home, proxy: FaultyProxy) -> None:
    entries = [
        {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": f"sha256:{'1' * 64}", "size": 1,
         "platform": {"os": "linux", "architecture": name}}
        for name in ("s390x", "riscv64")
    ]  # fmt: skip
    index = json.dumps({"schemaVersion": 2, "manifests": entries}).encode()
    headers = {"Content-Type": "application/vnd.oci.image.index.v1+json", "Docker-Content-Digest": ""}

    error = refused(home, proxy, always(MANIFEST, change=lambda _: index, headers=headers))

    assert "does not exist for linux/" in error.message
    assert error.hint.startswith("there is linux/riscv64, linux/s390x")


def test_a_tag_that_moves_midway_cannot_mix_two_images(home: Home, proxy: FaultyProxy) -> None:
    error = refused(home, proxy, name=f"app@sha256:{'0' * 64}")

    assert "no such" in error.message


def test_two_pulls_at_once_fetch_once(home: Home, proxy: FaultyProxy) -> None:
    async def both() -> None:
        puller = home.puller()
        access = Access.of(home.environment)
        names = (f"{proxy.name}/app:1", f"{proxy.name}/app:1")
        proxy.faults.append(Fault(BIG, pause=0.001))
        await asyncio.gather(*(puller.pull(parse(name), access, home.reports.append) for name in names))

    asyncio.run(both())

    assert proxy.asked(BIG) == 1
    assert len(home.store.list()) == 1


def test_who_gives_up_a_pull_leaves_it_to_who_waits_for_it(home: Home, proxy: FaultyProxy) -> None:
    async def one_leaves() -> None:
        puller = home.puller()
        access = Access.of(home.environment)
        proxy.faults.append(Fault(BIG, pause=0.002))
        both = asyncio.Barrier(3)

        async def pull() -> bool:
            heard: list[LayerProgress] = []

            def report(progress: LayerProgress) -> None:
                if not heard and progress.phase is Phase.DOWNLOADING:
                    heard.append(progress)
                    waiting.append(asyncio.ensure_future(both.wait()))

            return (await puller.pull(parse(f"{proxy.name}/app:1"), access, report)).changed

        waiting: list[asyncio.Future[int]] = []
        leaver, stayer = asyncio.create_task(pull()), asyncio.create_task(pull())
        await both.wait()
        leaver.cancel()
        await asyncio.wait([leaver, stayer])
        assert leaver.cancelled()
        assert stayer.result()

    asyncio.run(one_leaves())

    assert proxy.asked(BIG) == 1


def test_a_pull_that_is_given_up_leaves_nothing(home: Home, proxy: FaultyProxy) -> None:
    async def leave() -> None:
        proxy.faults.append(Fault(BIG, pause=0.005))
        begun = asyncio.Event()
        pull = home.puller().pull(parse(f"{proxy.name}/app:1"), Access.of(home.environment), lambda _: begun.set())
        task = asyncio.create_task(pull)
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(leave())

    assert home.store.list() == ()
    assert list(home.store.snapshots.all()) == []
