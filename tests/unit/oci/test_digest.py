from __future__ import annotations

import pytest

from composer.errors import ImageError
from composer.oci.digest import Digest


def test_a_digest_reads_back_as_itself() -> None:
    digest = Digest.of(b"hello")

    assert str(digest) == "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
    assert Digest.parse(str(digest)) == digest
    assert digest.short == "2cf24dba5fb0"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sha256",
        "sha256:",
        "sha256:abc",
        "sha256:" + "g" * 64,
        "sha256:" + "A" * 64,
        "sha256:" + "a" * 65,
        "md5:" + "a" * 32,
        "sha256:" + "a" * 64 + "\n",
        "sha256:../../" + "a" * 58,
    ],
)
def test_what_is_no_digest_is_refused(text: str) -> None:
    with pytest.raises(ImageError, match="as a digest"):
        Digest.parse(text)
