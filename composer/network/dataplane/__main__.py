"""`python -m composer.network.dataplane FD [PATH]`: serve the items that come over the SEQPACKET socket FD.

When that ends, the keeper has died. With a PATH the data plane goes on for as long as a container lives, and gives everything to
whoever connects to that socket: another keeper.
"""

from __future__ import annotations

import resource
import signal
import socket
import sys
from pathlib import Path

from composer.keeper.connection import listen
from composer.network.dataplane.loop import Loop
from composer.network.dataplane.plane import Plane


def main() -> None:
    """Run the data plane on the descriptor named by the first argument."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C at the terminal is the client's business
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    channel = socket.socket(fileno=int(sys.argv[1]))
    channel.set_inheritable(False)
    path = Path(sys.argv[2]) if len(sys.argv) > 2 else None
    if Plane(Loop()).serve(channel, listen(path) if path else None) and path:
        path.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
