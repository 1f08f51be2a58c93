import sys
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from composer.network import routes

TABLE = """Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0
eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
cu1\t0080FEA9\t00000000\t0001\t0\t0\t0\tFEFFFFFF\t0\t0\t0
"""


@pytest.mark.skipif(sys.byteorder != "little", reason="the table is in this machine's byte order")
def test_every_route_but_the_default_one_is_read() -> None:
    assert routes.parse(TABLE) == [IPv4Network("192.0.2.0/24"), IPv4Network("169.254.128.0/31")]


def test_a_machine_without_ipv4_has_no_routes(tmp_path: Path) -> None:
    assert routes.host_routes(tmp_path / "missing") == []
