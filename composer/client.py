"""The program `compose`: gives its command line to the forkserver, which has everything imported, or runs it itself.

Importing the application takes 150 ms, which a command would spend on itself. The forkserver forks a process for
each command; that gets our arguments, environment, working directory and descriptors, and does what we would have done. What
is left to us is to pass on signals, to stop and go on with it, and to end as it ended.

Whatever stands in the way (nobody listens, the forkserver is not of this copy or would not be the user's own process,
we are in the background of a terminal) means to run the command here, as if there were no forkserver. So this file imports
next to nothing: `os` is there already, and `_signal` and `_socket` come without `enum` and `selectors`.

A request is one record of parts with a null byte behind each; `Request.parse` in `composer.forkserver.request` reads it.
Answers are lines: `started` (with a pidfd), `reads` (it reads the terminal), `stopped`, `exit N`, `signal N`, `declined`.
"""

import _signal  # type: ignore[import-not-found]
import _socket
import os
import sys

SOCKET = "fork.sock"
PROTOCOL = b"1"
MOST_DESCRIPTORS = 200  # one SCM_RIGHTS message holds 253 (unix(7))
HERE = __file__.rpartition("/")[0]

CAUGHT = (
    _signal.SIGINT,
    _signal.SIGTERM,
    _signal.SIGHUP,
    _signal.SIGQUIT,
    _signal.SIGWINCH,
    _signal.SIGUSR1,
    _signal.SIGUSR2,
    _signal.SIGTSTP,
)
_KILLED = 137
_INTERRUPTED = 130
_TRIES = 10


def main() -> int:
    """Run the command line of this process; its exit code."""
    try:
        return _main()
    except KeyboardInterrupt:  # where nobody has made anything of it yet
        return _INTERRUPTED


def _main() -> int:
    try:
        answer = _hand_over()
    except OSError:
        answer = None
    if answer is None:
        return _run_here()
    kind, number = answer
    if kind == b"signal":
        if number in CAUGHT:
            _signal.signal(number, _signal.SIG_DFL)
        os.kill(os.getpid(), number)
        number += 128
    os._exit(number)  # we hold nothing that the interpreter would have to put away


def run_directory(environment: "os._Environ[str] | dict[str, str]", uid: int) -> str:
    """What `composer.paths` says, which costs too much to be imported here."""
    if moved := environment.get("COMPOSER_RUN"):
        return moved
    if uid == 0:
        return "/run/composer"
    runtime = environment.get("XDG_RUNTIME_DIR")
    return f"{runtime}/composer" if runtime else f"/tmp/composer-{uid}"


def encode(*groups: list[bytes]) -> bytes:
    """The record of some lists of byte strings without null bytes: its length in 4 bytes, then how many each has, and all."""
    parts = [b"%d" % len(group) for group in groups] + [part for group in groups for part in group]
    body = b"".join(part + b"\0" for part in parts)
    return len(body).to_bytes(4, "big") + body


def _run_here() -> int:
    from composer.__main__ import main as run

    try:
        return run()
    finally:
        from composer.api.starter import ensure_forkserver

        ensure_forkserver(os.environ)


def _hand_over() -> tuple[bytes, int] | None:
    """How the forkserver's process ended: `exit` or `signal`, and which; None if it is for us to run the command."""
    connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    connection.connect(f"{run_directory(os.environ, os.getuid())}/{SOCKET}")
    if not _may_read_terminal():
        return None
    directory = os.open(".", os.O_PATH | os.O_DIRECTORY)
    inherited = _inherited()
    if len(inherited) > MOST_DESCRIPTORS:
        return None
    about = [PROTOCOL, HERE.encode(), sys.prefix.encode(), sys.version.encode()]
    stream = sys.stdout or sys.stderr
    about.append(stream.encoding.encode() if stream else b"utf-8")
    arguments = [os.fsencode(argument) for argument in sys.argv]
    variables = [name + b"=" + value for name, value in os.environb.items()]
    record = encode(about, arguments, variables, [b"%d" % number for number in inherited])
    relay = _Relay(connection)
    packed = b"".join(number.to_bytes(4, sys.byteorder) for number in (directory, *inherited))
    try:
        sent = connection.sendmsg([record], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, packed)])
        connection.sendall(record[sent:])
    except OSError:  # who declines need not read on; signals are ours again
        relay.give_up()
        return None
    finally:
        os.close(directory)
    return relay.until_the_end()


def _inherited() -> list[int]:
    """The descriptors that a program started by us would get: the standard streams, and what a shell gave us besides."""
    found = []
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208  pathlib costs more than this whole program
        try:
            if os.get_inheritable(int(name)):
                found.append(int(name))
        except OSError:  # the descriptor of the listing itself
            continue
    return sorted(found)


def _may_read_terminal() -> bool:
    """Whether a read from our stdin would not stop us as a background job. A terminal that is not our own never does."""
    try:
        return os.tcgetpgrp(0) == os.getpgrp()
    except OSError:
        return True


class _Relay:
    """Signals to the command, and its end to us."""

    def __init__(self, connection: _socket.socket) -> None:
        self._connection = connection
        self._pidfd = -1
        self._reads = False
        self._early: list[int] = []
        # What we were started to ignore (nohup) stays ignored, by the command too.
        self._before = {number: _signal.getsignal(number) for number in CAUGHT}
        self._caught = [number for number, handler in self._before.items() if handler is not _signal.SIG_IGN]
        for number in self._caught:
            _signal.signal(number, self._pass_on)

    def until_the_end(self) -> tuple[bytes, int] | None:
        buffer = b""
        while True:
            try:
                data, ancillary, _, _ = self._connection.recvmsg(4096, _socket.CMSG_SPACE(4))
            except ConnectionError:
                data, ancillary = b"", []
            if not data:
                break
            for _, kind, packed in ancillary:
                if kind == _socket.SCM_RIGHTS:
                    self._started(int.from_bytes(packed[:4], sys.byteorder))
            *lines, buffer = (buffer + data).split(b"\n")
            for line in lines:
                word, _, number = line.partition(b" ")
                if word in (b"exit", b"signal"):
                    return word, int(number)
                if word == b"declined":
                    self.give_up()
                    return None
                if word == b"stopped":
                    self._stop()
                self._reads = self._reads or word == b"reads"
        if self._pidfd < 0:
            self.give_up()
            return None
        os.write(2, b"compose: the command was killed\n")
        return b"exit", _KILLED

    def _started(self, pidfd: int) -> None:
        self._pidfd = pidfd
        for number in self._early:
            self._pass_on(number)

    def give_up(self) -> None:
        """Be as if nothing had been tried."""
        for number in self._caught:
            _signal.signal(number, self._before[number])
        for number in self._early:
            os.kill(os.getpid(), number)

    def _pass_on(self, number: int, _frame: object = None) -> None:
        if self._pidfd < 0:
            self._early.append(number)
            return
        try:
            _signal.pidfd_send_signal(self._pidfd, number)
        except ProcessLookupError:
            return

    def _stop(self) -> None:
        """The command has stopped: so do we, for our shell to see; it goes on when we do."""
        self._stop_by(_signal.SIGTSTP)
        for _ in range(_TRIES):
            if not self._reads or _may_read_terminal():
                break
            # Continued in the background: a read stops whoever has no turn at the terminal. For ever is too long, as the
            # kernel does not stop a job that no shell waits for.
            self._stop_by(_signal.SIGTTIN)
        for number in (_signal.SIGCONT, _signal.SIGWINCH):
            self._pass_on(number)

    def _stop_by(self, number: int) -> None:
        before = _signal.signal(number, _signal.SIG_DFL)
        os.kill(os.getpid(), number)
        _signal.signal(number, before)


if __name__ == "__main__":
    sys.exit(main())
