import pytest

from composer.registry.challenge import Challenge, parse_challenges

HUB = 'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull,push"'


@pytest.mark.parametrize(
    ("header", "challenges"),
    [
        ("", []),
        (
            HUB,
            [
                Challenge(
                    "bearer",
                    {
                        "realm": "https://auth.docker.io/token",
                        "service": "registry.docker.io",
                        "scope": "repository:a/b:pull,push",
                    },
                )
            ],
        ),
        ("basic realm=x", [Challenge("basic", {"realm": "x"})]),
        ('Basic Realm = "a \\"b\\" c" , charset=UTF-8', [Challenge("basic", {"realm": 'a "b" c', "charset": "UTF-8"})]),
        ("Negotiate, Basic realm=x", [Challenge("negotiate", {}), Challenge("basic", {"realm": "x"})]),
        ('Bearer realm="x",Basic realm="y"', [Challenge("bearer", {"realm": "x"}), Challenge("basic", {"realm": "y"})]),
        ('Bearer realm="never closed', [Challenge("bearer", {})]),
        ("=,=,=", []),
    ],
)
def test_what_a_registry_asks_for_is_understood(header: str, challenges: list[Challenge]) -> None:
    assert list(parse_challenges(header)) == challenges


@pytest.mark.parametrize(
    "header", ["Basic " * 5000, 'Bearer realm="' + "\\" * 20000, "Bearer " + "a=b," * 20000, "\0\xff"]
)
def test_a_hostile_header_is_read_in_no_time(header: str) -> None:
    parse_challenges(header)
