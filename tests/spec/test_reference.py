"""The reference grammar: cases after the distribution project's own tests (github.com/distribution/reference)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from composer.errors import ImageError
from composer.oci.digest import Digest
from composer.oci.reference import Reference, parse

HEX = "a3ed95caeb02ffe68cdd9fd84406680ae93d633cb16422d00e8a7c22955b46d4"

# what is written, what it means, how it is shown
ACCEPTED = [
    ("redis", "docker.io/library/redis:latest", "redis"),
    ("redis:7", "docker.io/library/redis:7", "redis:7"),
    ("redis:latest", "docker.io/library/redis:latest", "redis"),
    ("library/redis", "docker.io/library/redis:latest", "redis"),
    ("docker.io/redis", "docker.io/library/redis:latest", "redis"),
    ("index.docker.io/library/redis", "docker.io/library/redis:latest", "redis"),
    ("bitnami/redis:7.2-debian-12", "docker.io/bitnami/redis:7.2-debian-12", "bitnami/redis:7.2-debian-12"),
    ("a/b/c:d", "docker.io/a/b/c:d", "a/b/c:d"),
    ("library/a/b", "docker.io/library/a/b:latest", "library/a/b"),
    ("localhost/app", "localhost/app:latest", "localhost/app"),
    ("localhost:5000/app", "localhost:5000/app:latest", "localhost:5000/app"),
    ("localhost", "docker.io/library/localhost:latest", "localhost"),
    ("test.example:80/repo:tag", "test.example:80/repo:tag", "test.example:80/repo:tag"),
    ("ghcr.io/owner/app", "ghcr.io/owner/app:latest", "ghcr.io/owner/app"),
    ("host.example", "docker.io/library/host.example:latest", "host.example"),
    ("Upper/app", "Upper/app:latest", "Upper/app"),
    ("192.168.1.1:5000/a", "192.168.1.1:5000/a:latest", "192.168.1.1:5000/a"),
    ("[2001:db8::1]:5000/repo", "[2001:db8::1]:5000/repo:latest", "[2001:db8::1]:5000/repo"),
    ("xn--n3h.example/app", "xn--n3h.example/app:latest", "xn--n3h.example/app"),
    ("foo_bar.com:8080", "docker.io/library/foo_bar.com:8080", "foo_bar.com:8080"),
    ("foo__bar/my--repo", "docker.io/foo__bar/my--repo:latest", "foo__bar/my--repo"),
    ("a:Tag_1.2-x", "docker.io/library/a:Tag_1.2-x", "a:Tag_1.2-x"),
    ("a:" + "t" * 128, "docker.io/library/a:" + "t" * 128, "a:" + "t" * 128),
    (f"redis@sha256:{HEX}", f"docker.io/library/redis@sha256:{HEX}", f"redis@sha256:{HEX}"),
    (f"redis:7@sha256:{HEX}", f"docker.io/library/redis:7@sha256:{HEX}", f"redis:7@sha256:{HEX}"),
    (f"redis:latest@sha256:{HEX}", f"docker.io/library/redis:latest@sha256:{HEX}", f"redis:latest@sha256:{HEX}"),
    (HEX[:63], f"docker.io/library/{HEX[:63]}:latest", HEX[:63]),
]

REFUSED = [
    "",
    ":7",
    "/redis",
    "redis/",
    "redis:",
    "redis@",
    "a//b",
    "Redis",
    "docker.io/Redis",
    "a b",
    "-redis",
    "redis-",
    "a___b/c",
    "a..b",
    "_a/b",
    "a:.tag",
    "a:-tag",
    "a:" + "t" * 129,
    "a:b:c",
    "test:5000/Repo",
    "docker.io/",
    "a/../b",
    "http://example.com/a",
    "redis\n",
    "redis:7\n",
    "rédis",
    HEX,
    "x/" * 128 + "x",
    "redis@sha256:abc",
    "redis@sha256:" + HEX.upper(),
    "redis@md5:" + HEX[:32],
    f"redis@sha256:{HEX}@sha256:{HEX}",
    "[::1/a",
]


@pytest.mark.parametrize(("text", "canonical", "familiar"), ACCEPTED)
def test_a_reference_is_completed_and_shortened_as_docker_does_it(text: str, canonical: str, familiar: str) -> None:
    reference = parse(text)

    assert str(reference) == canonical
    assert reference.familiar() == familiar


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_no_reference_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(ImageError) as caught:
        parse(text)

    assert caught.value.message.startswith("cannot use `")


def test_a_name_in_capitals_is_shown_in_lower_case() -> None:
    with pytest.raises(ImageError) as caught:
        parse("Redis")

    assert caught.value.hint == "write it in lower case: `library/redis`"


def test_an_address_instead_of_a_name_is_shown_without_its_scheme() -> None:
    with pytest.raises(ImageError) as caught:
        parse("https://registry.test/web:1")

    assert caught.value.hint == "leave that out: `registry.test/web:1`"


component = st.from_regex(r"[a-z0-9]{1,6}((\.|_|__|-{1,3})[a-z0-9]{1,5}){0,2}", fullmatch=True)
repositories = st.lists(component, min_size=1, max_size=4).map("/".join)
registries = st.sampled_from(
    ["docker.io", "ghcr.io", "localhost", "localhost:5000", "Registry", "[::1]:443", "10.0.0.1:1"]
)
tags = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}", fullmatch=True)
digests = st.from_regex(r"[0-9a-f]{64}", fullmatch=True).map(lambda digits: Digest("sha256", digits))


@st.composite
def references(draw: st.DrawFn) -> Reference:
    registry, repository = draw(registries), draw(repositories)
    if registry == "docker.io" and "/" not in repository:
        repository = f"library/{repository}"
    tag, digest = draw(st.one_of(st.none(), tags)), draw(st.one_of(st.none(), digests))
    return Reference(registry, repository, tag if tag or digest else "latest", digest)


@given(references())
def test_every_reference_reads_back_as_itself(reference: Reference) -> None:
    assert parse(str(reference)) == reference
    assert parse(reference.familiar()) == reference


@given(st.text())
def test_any_text_is_a_reference_or_refused(text: str) -> None:
    try:
        reference = parse(text)
    except ImageError:
        return

    assert parse(str(reference)) == reference
