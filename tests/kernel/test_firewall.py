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


FIREWALLD = """
table inet firewalld {
    chain filter_FORWARD {
        type filter hook forward priority filter + 10; policy accept;
        ct state { established, related } accept
        iifname "lo" accept
        jump filter_FORWARD_POLICIES
        reject with icmpx admin-prohibited
    }
    chain filter_FORWARD_POLICIES { iifname "eth0" accept; }
}
"""


@pytest.mark.parametrize("last", ["reject with icmpx admin-prohibited", "counter drop", "drop"])
def test_a_last_rule_that_refuses_everything_is_found_as_a_policy_is(last: str) -> None:
    ruleset = FIREWALLD.replace("reject with icmpx admin-prohibited", last)
    if subprocess.run(["unshare", "--net", "nft", "-f", "-"], input=ruleset, text=True, capture_output=True).returncode:
        pytest.skip("needs nf_tables with conntrack and reject")

    assert asked(ruleset) == "inet firewalld filter_FORWARD []"
    mentioned = 'insert rule inet firewalld filter_FORWARD_POLICIES iifname "cu*" accept'
    assert asked(ruleset, mentioned) == "None []"
    assert asked(ruleset.replace(last, f'iifname "eth1" {last}')) == "None []"


LEGACY = "from composer.network import legacy; print(legacy.refuses('cu*'))"


@pytest.mark.parametrize(
    ("commands", "refused"),
    [
        ("", False),
        ("-L", False),
        ("-P FORWARD DROP", True),
        ("-P INPUT DROP", False),
        ("-P FORWARD DROP; -I FORWARD -i cu+ -j ACCEPT", False),
        ("-P FORWARD DROP; -I FORWARD -i eth+ -j ACCEPT", True),
        ("-A FORWARD -j DROP", True),
        ("-A FORWARD -s 10.0.0.0/8 -j DROP", False),
        ("-A FORWARD -p tcp -m tcp --dport 22 -j DROP", False),
        ("-A FORWARD -j DROP; -A FORWARD -i lo -j ACCEPT", False),
        ("-N MINE; -A MINE -j DROP", False),
        ("-A FORWARD -i eth1 -j ACCEPT; -A FORWARD -j REJECT", True),
    ],
)
def test_what_the_old_iptables_has_is_read_from_the_kernel(commands: str, refused: bool) -> None:
    lines = "".join(f"iptables-legacy {command.strip()} > /dev/null; " for command in commands.split(";") if command)
    ended = subprocess.run(
        ["unshare", "--net", "sh", "-ec", f'{lines} exec "{sys.executable}" -c "{LEGACY}"'],
        capture_output=True,
        text=True,
    )
    if "not found" in ended.stderr or "can't initialize" in ended.stderr or "match by that name" in ended.stderr:
        pytest.skip("needs iptables-legacy and its modules")

    assert ended.stdout == f"{refused}\n", ended.stderr
