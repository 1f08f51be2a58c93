"""The program `compose` before anything of the application runs."""

from __future__ import annotations

import subprocess
import sys

INTERRUPTED = """
import os, signal
from composer import client
client._hand_over = lambda: os.kill(os.getpid(), signal.SIGINT)
raise SystemExit(client.main())
"""


def test_a_ctrl_c_at_the_very_beginning_is_no_traceback() -> None:
    done = subprocess.run([sys.executable, "-c", INTERRUPTED], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")
