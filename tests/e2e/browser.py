"""A page as a browser shows it: Debian's Chromium without a window."""

from __future__ import annotations

import shutil
import subprocess
import tempfile

import pytest

_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def rendered(url: str) -> str:
    """The page's document after its programs have run."""
    program = shutil.which("chromium")
    if not program:
        pytest.skip("needs Debian's package chromium; .ci/soak installs it")
    with tempfile.TemporaryDirectory(prefix="chromium-") as profile:
        command = [program, *_FLAGS, f"--user-data-dir={profile}", "--virtual-time-budget=5000", "--dump-dom", url]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
