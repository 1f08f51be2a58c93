"""What keeps containers from the outside: firewalls that drop whatever they do not know."""

from __future__ import annotations

from composer.network import firewall, legacy, topology


def obstacle() -> str:
    """What keeps containers from the outside though they have an uplink, a sentence with what to do; "" for nothing."""
    try:
        if chain := firewall.refusing(topology.UPLINKS):
            return _told(f"chain `{chain}`", *_let_through(chain))
        if legacy.refuses(topology.UPLINKS):
            links = topology.UPLINKS.replace("*", "+")
            accept = f"`iptables-legacy -I FORWARD -i {links} -j ACCEPT`"
            back = f"`iptables-legacy -I FORWARD -o {links} -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT`"
            return _told("chain `FORWARD` of `iptables-legacy`", accept, back)
    except OSError:
        pass  # nobody says what it has
    return ""


def _told(where: str, *commands: str) -> str:
    return (
        f"the firewall of this machine drops what it forwards ({where}, as Docker, ufw and firewalld have it): "
        f"containers do not reach the outside; published ports work. To let them: {' and '.join(commands)}"
    )


def _let_through(chain: firewall.Chain) -> tuple[str, str]:
    """The commands after which a chain lets what comes from our uplinks pass, and the answers to it."""
    links = topology.UPLINKS
    if chain.table == "firewalld":
        zone = f"firewall-cmd --permanent --zone=trusted --add-interface={links.replace('*', '+')}"
        return f"`{zone}`", "`firewall-cmd --reload`"
    return (
        f'`nft insert rule {chain} iifname "{links}" accept`',
        f'`nft insert rule {chain} oifname "{links}" ct state established,related accept`',
    )
