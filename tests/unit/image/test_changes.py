from __future__ import annotations

import pytest

from composer.errors import UsageError
from composer.image.changes import apply_changes
from composer.oci.config import Healthcheck, ImageConfig

BASE = ImageConfig("amd64", "linux", env=("PATH=/bin", "A=1"))


def test_every_instruction_changes_its_setting() -> None:
    config = apply_changes(
        BASE,
        [
            'ENTRYPOINT ["/init", "--"]',
            'cmd ["serve"]',
            "ENV A=2 B='two words' C=",
            "EXPOSE 80 53/UDP 8000-8010",
            'VOLUME ["/data", "/more data"]',
            "VOLUME /var/lib/x /data",
            "USER app:staff",
            "WORKDIR /srv",
            "WORKDIR sub/dir",
            "STOPSIGNAL SIGINT",
            'LABEL one=1 two="2 2"',
            "LABEL three=3",
            'HEALTHCHECK --interval=1m30s --timeout=500ms --start-period=5s --retries=4 CMD ["true", "x"]',
        ],
    )

    assert config == ImageConfig(
        "amd64",
        "linux",
        env=("PATH=/bin", "A=2", "B=two words", "C="),
        entrypoint=("/init", "--"),
        cmd=("serve",),
        exposed_ports=("53/udp", "80/tcp", "8000-8010/tcp"),
        volumes=("/data", "/more data", "/var/lib/x"),
        user="app:staff",
        working_dir="/srv/sub/dir",
        stop_signal="SIGINT",
        labels={"one": "1", "two": "2 2", "three": "3"},
        healthcheck=Healthcheck(("CMD", "true", "x"), 90, 0.5, 5, 0, 4),
    )


def test_a_command_that_is_no_list_is_for_the_shell() -> None:
    config = apply_changes(BASE, ["CMD echo $HOME", "HEALTHCHECK CMD curl -f localhost"])

    assert config.cmd == ("/bin/sh", "-c", "echo $HOME")
    assert config.healthcheck == Healthcheck(("CMD-SHELL", "curl -f localhost"))


def test_a_command_that_is_no_valid_list_is_for_the_shell_as_docker_has_it() -> None:
    assert apply_changes(BASE, ["CMD ['sh']"]).cmd == ("/bin/sh", "-c", "['sh']")


def test_an_empty_list_empties_the_entrypoint() -> None:
    assert apply_changes(BASE, ['ENTRYPOINT ["/a"]', "ENTRYPOINT []"]).entrypoint == ()


def test_the_old_form_of_env_takes_the_rest_of_the_line() -> None:
    assert apply_changes(BASE, ["ENV A some words"]).env == ("PATH=/bin", "A=some words")


def test_no_healthcheck_is_said_explicitly() -> None:
    assert apply_changes(BASE, ["HEALTHCHECK NONE"]).healthcheck == Healthcheck(("NONE",))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ("RUN make", "`RUN` is no instruction"),
        ("", "no instruction"),
        ("CMD", "a value is missing"),
        ("USER", "a value is missing"),
        ("ENV A", "expected `NAME=value`"),
        ("ENV =x", "expected `NAME=value`"),
        ("ENV A=1 B", "expected `NAME=value`"),
        ("ENV A='open", "No closing quotation"),
        ("EXPOSE eighty", "`eighty` is no port"),
        ("EXPOSE 80/tpc", "`80/tpc` is no port"),
        ("HEALTHCHECK true", "expected `HEALTHCHECK [options] CMD command`"),
        ("HEALTHCHECK --interval=fast CMD true", "`fast` is no duration"),
        ("HEALTHCHECK --every=1s CMD true", "`--every=1s` is no option"),
        ("HEALTHCHECK --retries=x CMD true", "`x` is no number"),
    ],
)
def test_a_wrong_change_is_named_with_the_reason(change: str, why: str) -> None:
    with pytest.raises(UsageError) as caught:
        apply_changes(BASE, [change])

    assert caught.value.message.startswith(f"cannot apply change `{change}`: ")
    assert why in caught.value.message
