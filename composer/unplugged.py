"""pydantic without its plugins: importing this, before pydantic, keeps it from looking for any.

Looking costs 1.5 MB and the reading of what is installed, in every process; and nobody's plugin is to see what we validate.
PYDANTIC_DISABLE_PLUGINS saves the second only. Should pydantic look elsewhere one day, this does nothing.
"""

from __future__ import annotations

import sys
from types import ModuleType


class _Loader(ModuleType):
    """In place of `pydantic.plugin._loader`, which pydantic imports when it builds its first model."""

    @staticmethod
    def get_plugins() -> tuple[()]:
        """None."""
        return ()


sys.modules.setdefault("pydantic.plugin._loader", _Loader("pydantic.plugin._loader"))
