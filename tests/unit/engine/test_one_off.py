from dataclasses import dataclass, field
from pathlib import Path

from composer.api.messages import RunRequest
from composer.engine.resolve import resolve_one_off
from composer.oci.config import ImageConfig
from tests.unit.project.loading import project, with_web


@dataclass(frozen=True)
class Bare:
    id: str = "sha256:1"
    config: ImageConfig = field(default_factory=lambda: ImageConfig("amd64", "linux", ()))


def test_a_one_off_gets_what_run_adds_to_its_service(tmp_path: Path) -> None:
    shop = project(tmp_path, with_web("command: x\nlabels: {a: b}\ncap_add: [NET_ADMIN]\ncap_drop: [CHOWN]"))
    asked = RunRequest({}, None, "web", labels={"a": "c", "d": ""}, cap_add=("SYS_TIME",), cap_drop=("KILL",))

    config = resolve_one_off(shop, {"i": Bare()}, asked, "slug").containers[0].config

    assert config.cap_add == ("NET_ADMIN", "SYS_TIME")
    assert config.cap_drop == ("CHOWN", "KILL")
    assert (config.labels["a"], config.labels["d"]) == ("c", "")
