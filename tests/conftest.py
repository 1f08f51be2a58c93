"""The long tests, marked `soak`, run where COMPOSER_SOAK is set: `.ci/soak`. There generated cases are new every time."""

from __future__ import annotations

import os
import signal

import pytest
from hypothesis import HealthCheck, settings

# A shell starts what is to run in the background with Ctrl-C ignored, and so would be every command of the tests.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A machine that is busy is neither too slow for a deadline nor in making cases.
_patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("gate", parent=_patient, derandomize=True)
settings.register_profile("soak", parent=_patient)
settings.load_profile("soak" if os.environ.get("COMPOSER_SOAK") else "gate")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if os.environ.get("COMPOSER_SOAK"):
        return
    long = [item for item in items if item.get_closest_marker("soak")]
    if long:
        config.hook.pytest_deselected(items=long)
        items[:] = [item for item in items if not item.get_closest_marker("soak")]
