from ipaddress import IPv4Address

from composer.network import items


def test_a_port_survives_the_store() -> None:
    for host_ip in ("0.0.0.0", "::", "127.0.0.1"):
        port = items.Port("c1", "tcp", host_ip, 8080, "net", IPv4Address("10.0.0.2"), 80, via=8081)

        assert items.Port.read(port.name, port.meta) == port


def test_a_zone_lists_every_address_of_a_name_once() -> None:
    records = [
        items.Record(IPv4Address(f"10.0.0.{n}"), f"shop-web-{n}", ("web", "WEB", "", "www" if n == 2 else "web"))
        for n in (2, 3)
    ]

    assert items.zone("shop_default", records) == {
        "name": "shop_default",
        "internal": False,
        "names": {
            "shop-web-2": ["10.0.0.2"],
            "web": ["10.0.0.2", "10.0.0.3"],
            "www": ["10.0.0.2"],
            "shop-web-3": ["10.0.0.3"],
        },
        "reverse": {"10.0.0.2": "shop-web-2", "10.0.0.3": "shop-web-3"},
    }
