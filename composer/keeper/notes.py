"""What a process of the keeper says of itself: lines on stderr, which is its log file."""

from __future__ import annotations

import os
import sys
import time
import traceback


def note(text: str) -> None:
    """Write one line with time and pid. A log that cannot be written is no reason to stop."""
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())
    try:
        sys.stderr.write(f"{stamp} [{os.getpid()}] {text}\n")
        sys.stderr.flush()
    except OSError:
        return


def note_failure(error: BaseException) -> None:
    """Note a bug with its traceback."""
    note("".join(traceback.format_exception(error)).rstrip())
