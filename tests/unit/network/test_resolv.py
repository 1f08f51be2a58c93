from pathlib import Path

from composer.network import resolv
from composer.network.resolv import ResolverConfig


def test_the_last_search_line_counts_and_comments_do_not() -> None:
    text = """# nameserver 9.9.9.9
nameserver 192.0.2.53 ; the first
nameserver\tfd00::53
domain example.org
search example.com corp.example .
options ndots:2 timeout:1
nonsense here
"""

    assert resolv.parse(text) == ResolverConfig(
        ("192.0.2.53", "fd00::53"), ("example.com", "corp.example"), ("ndots:2", "timeout:1")
    )


def test_a_stub_on_loopback_gives_way_to_the_servers_behind_it(tmp_path: Path) -> None:
    stub, real = tmp_path / "stub", tmp_path / "real"
    stub.write_text("nameserver 127.0.0.53\nsearch lan\n")
    real.write_text("nameserver 192.0.2.53\n")

    assert resolv.host_config(stub, real) == ResolverConfig(("192.0.2.53",), ("lan",))


def test_a_stub_with_nothing_known_behind_it_is_used(tmp_path: Path) -> None:
    stub = tmp_path / "stub"
    stub.write_text("nameserver 127.0.0.53\n")

    assert resolv.host_config(stub, tmp_path / "missing").servers == ("127.0.0.53",)


def test_no_files_at_all_are_an_empty_configuration(tmp_path: Path) -> None:
    assert resolv.host_config(tmp_path / "a", tmp_path / "b") == ResolverConfig()
