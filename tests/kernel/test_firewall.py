"""What another firewall on this machine does to us is read from the kernel; in a network namespace of its own."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytestmark = [pytest.mark.kernel, pytest.mark.skipif(os.geteuid() != 0, reason="needs root")]

ASK = "from composer.network import firewall; print(firewall.refusing('cu*'), sorted(firewall.tables()))"
DOCKER = """
table ip filter {
    chain FORWARD { type filter hook forward priority filter; policy drop; jump DOCKER-USER; }
    chain DOCKER-USER { return; }
}
"""
HARMLESS = """
table ip mine {
    chain input { type filter hook input priority filter; policy drop; }
    chain forward { type filter hook forward priority filter; policy accept; iifname "eth0" drop; }
}
"""


def asked(*rulesets: str) -> str:
    """What is found in a network namespace with these rules and commands of nft."""
    lines = "\n".join(f"nft -f - <<'END'\n{text}\nEND" for text in rulesets)
    ended = subprocess.run(
        ["unshare", "--net", "sh", "-ec", f'{lines}\nexec "{sys.executable}" -c "{ASK}"'],
        capture_output=True,
        text=True,
        check=True,
    )
    return ended.stdout.strip()


def test_a_machine_that_forwards_has_nothing_in_our_way() -> None:
    assert asked() == "None []"
    assert asked(HARMLESS) == "None ['mine']"


def test_a_policy_of_drop_is_found_with_its_table() -> None:
    assert asked(DOCKER) == "ip filter FORWARD ['filter']"
    assert asked(HARMLESS, DOCKER) == "ip filter FORWARD ['filter', 'mine']"


@pytest.mark.parametrize(("family", "found"), [("inet", "inet fw pass []"), ("ip6", "None []")])
def test_only_families_that_ipv4_goes_through_count(family: str, found: str) -> None:
    ruleset = f"table {family} fw {{ chain pass {{ type filter hook forward priority 5; policy drop; }} }}"
    if subprocess.run(["unshare", "--net", "nft", "-f", "-"], input=ruleset, text=True, capture_output=True).returncode:
        pytest.skip(f"needs nf_tables of family {family}")
    assert asked(ruleset) == found


@pytest.mark.parametrize("rule", ["FORWARD iifname", "DOCKER-USER oifname"])
def test_a_table_that_speaks_of_our_links_is_left_to_its_owner(rule: str) -> None:
    assert asked(DOCKER, f'insert rule ip filter {rule} "cu*" accept').startswith("None")
    assert asked(DOCKER, f'insert rule ip filter {rule} "eth*" accept').startswith("ip filter")


def test_what_iptables_writes_is_understood() -> None:
    script = f'iptables-nft -P FORWARD DROP; {sys.executable} -c "{ASK}"; iptables-nft -I FORWARD -i cu+ -j ACCEPT; '
    ended = subprocess.run(
        ["unshare", "--net", "sh", "-ec", f'{script} {sys.executable} -c "{ASK}"'], capture_output=True, text=True
    )
    if "not found" in ended.stderr:
        pytest.skip("needs iptables-nft")

    assert ended.stdout.splitlines() == ["ip filter FORWARD ['filter']", "None ['filter']"]
