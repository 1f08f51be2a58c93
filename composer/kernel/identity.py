"""`sethostname(2)` and `setdomainname(2)`; Python has only the first, and only some platforms' `socket` has that."""

from __future__ import annotations

import os

from composer.kernel import libc


def sethostname(name: str) -> None:
    """Name this UTS namespace."""
    encoded = os.fsencode(name)
    libc.call("sethostname", encoded, len(encoded), about=name)


def setdomainname(name: str) -> None:
    """Give this UTS namespace its NIS domain name."""
    encoded = os.fsencode(name)
    libc.call("setdomainname", encoded, len(encoded), about=name)
