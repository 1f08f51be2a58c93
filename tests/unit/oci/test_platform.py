import pytest

from composer.errors import ImageError
from composer.oci.descriptor import Platform
from composer.oci.platform import parse_platform, rank, this_platform


@pytest.mark.parametrize(
    ("text", "platform"),
    [
        ("linux/amd64", Platform("amd64", "linux")),
        ("linux/x86_64", Platform("amd64", "linux")),
        ("Linux/aarch64", Platform("arm64", "linux")),
        ("arm64", Platform("arm64", "linux")),
        ("linux/arm/v6", Platform("arm", "linux", "v6")),
        ("armhf", Platform("arm", "linux", "v7")),
        ("windows/amd64", Platform("amd64", "windows")),
        ("linux", this_platform()),
    ],
)
def test_a_platform_is_read_as_containerd_reads_it(text: str, platform: Platform) -> None:
    assert parse_platform(text) == platform


@pytest.mark.parametrize("text", ["", "linux//v7", "linux/arm/v7/x", "linux/am d64", "../x"])
def test_what_is_no_platform_is_refused(text: str) -> None:
    with pytest.raises(ImageError, match="as a platform"):
        parse_platform(text)


def test_a_machine_runs_lower_variants_and_the_nearest_best() -> None:
    arm7 = Platform("arm", "linux", "v7")

    assert rank(arm7, arm7) == 0
    assert rank(Platform("arm", "linux"), arm7) == 0
    assert rank(Platform("arm", "linux", "v6"), arm7) == 1
    assert rank(Platform("arm", "linux", "v8"), arm7) is None
    assert rank(Platform("arm64", "linux", "v8"), Platform("arm64", "linux")) == 0
    assert rank(Platform("amd64", "linux", "v3"), Platform("amd64", "linux")) is None
    assert rank(Platform("amd64", "windows"), Platform("amd64", "linux")) is None
