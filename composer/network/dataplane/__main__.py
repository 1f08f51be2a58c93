"""`python -m composer.network.dataplane FD`: serve the items that come over the SEQPACKET socket FD, until its end."""

from __future__ import annotations

import resource
import signal
import socket
import sys

from composer.network.dataplane.loop import Loop
from composer.network.dataplane.plane import Plane


def main() -> None:
    """Run the data plane on the descriptor named by the first argument."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C at the terminal is the client's business
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    channel = socket.socket(fileno=int(sys.argv[1]))
    channel.set_inheritable(False)
    Plane(Loop()).serve(channel)


if __name__ == "__main__":
    main()
