"""The three files that a container finds in /etc whatever its image says: `hosts(5)`, `hostname(5)`, `resolv.conf(5)`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from composer.errors import ContainerError

RESOLVER = "127.0.0.11"
"""Where names are answered inside every container; existing configurations rely on this very address."""

HOST_GATEWAY = "host-gateway"

_LOCAL = (
    ("127.0.0.1", ("localhost",)),
    ("::1", ("localhost", "ip6-localhost", "ip6-loopback")),
    ("fe00::", ("ip6-localnet",)),
    ("ff00::", ("ip6-mcastprefix",)),
    ("ff02::1", ("ip6-allnodes",)),
    ("ff02::2", ("ip6-allrouters",)),
)


def hosts(
    hostname: str,
    addresses: Iterable[str] = (),
    extra: Iterable[tuple[str, str]] = (),
    *,
    domainname: str = "",
    gateway: str = "",
) -> str:
    """The text of /etc/hosts: localhost, the container's own addresses, then `extra` pairs of (name, address).

    The address `host-gateway` stands for `gateway`, the host as this container reaches it.

    Raises:
        ContainerError: `host-gateway` where there is no gateway.
    """
    names = (f"{hostname}.{domainname}", hostname) if domainname else (hostname,)
    lines = [*_LOCAL]
    for name, address in extra:
        if address == HOST_GATEWAY and not gateway:
            raise ContainerError(
                f"cannot resolve `{name}`: `{HOST_GATEWAY}` needs a network that reaches the host",
                hint="attach the service to a network that is not `internal`",
            )
        lines.append((gateway if address == HOST_GATEWAY else address, (name,)))
    lines += [(address, names) for address in addresses]
    return "".join(f"{address}\t{' '.join(aliases)}\n" for address, aliases in lines)


def hostname(name: str) -> str:
    """The text of /etc/hostname."""
    return f"{name}\n"


def resolv_conf(
    search: Sequence[str] = (), options: Sequence[str] = ("ndots:0",), nameservers: Sequence[str] = (RESOLVER,)
) -> str:
    """The text of /etc/resolv.conf; `ndots:0`, so that a service's bare name is asked for as it is."""
    lines = [f"nameserver {address}" for address in nameservers]
    if search:
        lines.append(f"search {' '.join(search)}")
    if options:
        lines.append(f"options {' '.join(options)}")
    return "".join(f"{line}\n" for line in lines)


def searched(resolv_conf: str) -> tuple[str, ...]:
    """The search domains of a host's resolv.conf, which containers keep; the last `search` or `domain` line counts."""
    found: tuple[str, ...] = ()
    for line in resolv_conf.splitlines():
        keyword, *words = line.split()[:7] or [""]
        if keyword in ("search", "domain"):
            found = tuple(word for word in words if word != ".")
    return found
