from ipaddress import IPv4Address, IPv4Interface

import pytest

from composer.network import netlink
from composer.network.template import Template


def test_a_template_puts_each_value_wherever_its_marker_stood() -> None:
    template = Template.of(b"<AA|BB|AA>", b"AA", b"BB")

    assert template.fill(b"BB", b"AA") == b"<BB|AA|BB>"


def test_a_marker_that_is_not_in_the_message_is_a_mistake() -> None:
    with pytest.raises(AssertionError):
        Template.of(b"<AA>", b"BB")


def test_a_filled_message_is_what_the_encoder_makes_of_its_values() -> None:
    netlink.load()
    from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
    from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg

    pair = netlink.veth("v1", 2000, peer="eth0", peer_index=1000, peer_pid=1, master=7, peer_mac="02:42:0a:00:00:02")
    link = ifinfmsg(pair)
    link.decode()
    info = dict(dict(link["attrs"])["IFLA_LINKINFO"]["attrs"])
    peer = dict(info["IFLA_INFO_DATA"]["attrs"])["VETH_INFO_PEER"]

    assert (link["index"], link["flags"]) == (2000, 1)
    assert dict(link["attrs"])["IFLA_IFNAME"] == "v1"
    assert dict(link["attrs"])["IFLA_MASTER"] == 7
    assert info["IFLA_INFO_KIND"] == "veth"
    assert peer["index"] == 1000
    assert dict(peer["attrs"]) == {
        "IFLA_IFNAME": "eth0",
        "IFLA_NET_NS_PID": 1,
        "IFLA_ADDRESS": "02:42:0a:00:00:02",
    }

    given = ifaddrmsg(netlink.address(1000, IPv4Interface("10.1.2.3/24")))
    given.decode()

    assert (given["index"], given["prefixlen"]) == (1000, 24)
    assert dict(given["attrs"]) == {"IFA_LOCAL": "10.1.2.3", "IFA_ADDRESS": "10.1.2.3", "IFA_BROADCAST": "10.1.2.255"}


def test_bridges_and_default_routes_are_what_the_decoder_reads() -> None:
    netlink.load()
    from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
    from pyroute2.netlink.rtnl.rtmsg import rtmsg

    link = ifinfmsg(netlink.bridge("br7", 12, "02:42:0a:00:00:01"))
    link.decode()
    route = rtmsg(netlink.default_route(IPv4Address("10.1.2.1"), 1000))
    route.decode()

    attributes = dict(link["attrs"])
    assert (link["index"], attributes["IFLA_IFNAME"], attributes["IFLA_ADDRESS"]) == (12, "br7", "02:42:0a:00:00:01")
    assert dict(attributes["IFLA_LINKINFO"]["attrs"])["IFLA_INFO_KIND"] == "bridge"
    assert (route["dst_len"], route["table"], route["type"]) == (0, 254, 1)
    assert dict(route["attrs"]) == {"RTA_TABLE": 254, "RTA_GATEWAY": "10.1.2.1", "RTA_OIF": 1000}
