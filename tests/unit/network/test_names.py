from composer.network.dataplane import message, names
from composer.network.dataplane.message import wire_name


def zone(**addresses: list[str]) -> names.Zone:
    return names.Zone({"names": addresses, "name": "shop_default"})


def address(text: str) -> bytes:
    return message.record(message.A, bytes(map(int, text.split("."))))


def test_a_name_is_known_with_and_without_its_network() -> None:
    one = zone(web=["10.0.0.2"])

    for name in ("web", "WEB", "web.shop_default"):
        assert one.records(wire_name(name), message.A) == [address("10.0.0.2")]
    assert one.records(wire_name("web.other"), message.A) is None


def test_every_replica_comes_first_in_its_turn() -> None:
    one = zone(web=["10.0.0.2", "10.0.0.3"])

    firsts = [(one.records(wire_name("web"), message.A) or [])[0] for _ in range(3)]

    assert firsts == [address("10.0.0.2"), address("10.0.0.3"), address("10.0.0.2")]


def test_a_known_name_has_no_data_of_another_kind() -> None:
    assert zone(web=["10.0.0.2"]).records(wire_name("web"), message.AAAA) == []


def test_a_name_too_long_for_a_label_is_left_out_and_the_rest_stays() -> None:
    one = names.Zone({"names": {"x" * 64: ["10.0.0.9"], "web": ["10.0.0.2"]}})

    assert one.records(wire_name("web"), message.A) == [address("10.0.0.2")]


def test_the_first_zone_that_knows_a_name_answers_even_with_no_data() -> None:
    first, second = zone(web=["10.0.0.2"]), zone(web=["10.1.0.2"], db=["10.1.0.3"])

    assert names.find([first, second], wire_name("web"), message.A) == [address("10.0.0.2")]
    assert names.find([first, second], wire_name("web"), message.AAAA) == []
    assert names.find([first, second], wire_name("db"), message.A) == [address("10.1.0.3")]
    assert names.find([first, second], wire_name("no"), message.A) is None


def test_an_address_has_a_name_in_reverse() -> None:
    one = names.Zone({"names": {}, "reverse": {"10.0.0.2": "web-1"}, "name": "shop_default"})

    records = one.records(wire_name("2.0.0.10.in-addr.arpa"), message.PTR)

    assert records == [message.record(message.PTR, wire_name("web-1.shop_default"))]


def test_a_search_domain_is_taken_off_the_end_only() -> None:
    suffixes = list(names.suffixes(["example.com", "..", "corp"]))

    assert names.without_suffix(wire_name("web.example.com"), suffixes) == wire_name("web")
    assert names.without_suffix(wire_name("web.corp"), suffixes) == wire_name("web")
    assert names.without_suffix(wire_name("example.com"), suffixes) is None
    assert names.without_suffix(wire_name("web.example.org"), suffixes) is None
