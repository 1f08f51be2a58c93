import pytest

from composer.errors import ContainerError
from composer.runtime.user import Identity, resolve

PASSWD = """\
root:x:0:0:root:/root:/bin/sh
# a comment:x:1:1::/:
postgres:x:999:998:PostgreSQL:/var/lib/postgresql:/bin/bash
1000:x:55:55::/named-like-a-number:
nohome:x:7:7
damaged:x:seven:7::/:
evil:x:4294967295:4294967295::/:
"""
GROUP = """\
root:x:0:
postgres:x:998:
ssl-cert:x:101:postgres,www
adm:x:4: postgres
docker:x:102:root
"""


@pytest.mark.parametrize(
    ("user", "expected"),
    [
        ("", Identity(0, 0, (0, 102), "/root")),
        ("root", Identity(0, 0, (0, 102), "/root")),
        ("postgres", Identity(999, 998, (998, 101, 4), "/var/lib/postgresql")),
        ("999", Identity(999, 998, (998, 101, 4), "/var/lib/postgresql")),
        ("postgres:", Identity(999, 998, (998, 101, 4), "/var/lib/postgresql")),
        ("postgres:adm", Identity(999, 4, (4,), "/var/lib/postgresql")),
        ("999:12", Identity(999, 12, (12,), "/var/lib/postgresql")),
        (":adm", Identity(0, 4, (4,), "/root")),
        ("1000", Identity(1000, 0, (0,), "/")),
        ("1000:1000", Identity(1000, 1000, (1000,), "/")),
        ("nohome", Identity(7, 7, (7,), "/")),
    ],
)
def test_users_are_those_of_the_image(user: str, expected: Identity) -> None:
    assert resolve(user, PASSWD, GROUP) == expected


def test_an_image_without_accounts_takes_numbers_only() -> None:
    assert resolve("", "", "") == Identity(0, 0, (0,), "/")
    assert resolve("33:33", "", "") == Identity(33, 33, (33,), "/")
    with pytest.raises(ContainerError, match="no such user in the image: `www`"):
        resolve("www", "", "")


def test_added_groups_come_after_the_users_own() -> None:
    assert resolve("postgres", PASSWD, GROUP, ["docker", "4", "12"]).groups == (998, 101, 4, 102, 12)


@pytest.mark.parametrize(
    ("user", "message", "hint"),
    [
        ("postgre", "no such user in the image: `postgre`", "did you mean `postgres`?"),
        ("zzz", "no such user in the image: `zzz`", "add the user to the image"),
        ("postgres:adn", "no such group in the image: `adn`", "did you mean `adm`?"),
        ("damaged", "no such user in the image: `damaged`", ""),
        ("evil", "no such user in the image: `evil`", ""),
        ("4294967295", "`4294967295` is no user id: ids go from 0 to 2147483647", ""),
        ("0:2147483648", "`2147483648` is no group id: ids go from 0 to 2147483647", ""),
        ("-1", "no such user in the image: `-1`", ""),
    ],
)
def test_who_is_not_there_is_an_error_with_near_names(user: str, message: str, hint: str) -> None:
    with pytest.raises(ContainerError) as caught:
        resolve(user, PASSWD, GROUP)

    assert caught.value.message == message
    assert hint in caught.value.hint
