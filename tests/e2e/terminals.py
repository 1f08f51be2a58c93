"""A user at a terminal, for scenarios."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios

from tests.e2e.harness import Project, eventually

ROWS, COLUMNS = 33, 111


class Terminal:
    """A user at a terminal: types, reads, and looks whether the settings are as they were."""

    def __init__(self) -> None:
        self.leader, self.follower = pty.openpty()
        fcntl.ioctl(self.follower, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        self.before = termios.tcgetattr(self.follower)
        self.text = ""
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, project: Project, *arguments: str) -> subprocess.Popen[bytes]:
        """A command in the foreground: in a session of its own, with this as its controlling terminal."""
        return self.start_program(project, *project.engine.program, *arguments)

    def start_program(self, project: Project, *command: str) -> subprocess.Popen[bytes]:
        """Any program, as the leader of the terminal's session: a shell, for one."""
        self.process = subprocess.Popen(
            ["setsid", "--ctty", "--wait", *command],
            cwd=project.directory,
            env={**project.engine.environment, "TERM": "xterm", "PS1": "$ "},
            stdin=self.follower,
            stdout=self.follower,
            stderr=self.follower,
        )
        return self.process

    def type(self, text: str) -> None:
        os.write(self.leader, text.encode())

    def until(self, words: str) -> None:
        """Read until `words` have come."""
        eventually(lambda: words in self._read(), message=lambda: f"`{words}` never came; there was:\n{self.text!r}")

    def end(self) -> int:
        """The command's exit code, with all that it drew read."""
        assert self.process is not None
        process = self.process
        eventually(
            lambda: self._read() is not None and process.poll() is not None,
            message=lambda: f"no end: {self.text!r}",
        )
        self._read()
        return process.wait()

    def is_restored(self) -> bool:
        return termios.tcgetattr(self.follower) == self.before

    def foreground(self) -> int:
        """The process group that keys go to."""
        return os.tcgetpgrp(self.leader)

    def close(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.leader)
        os.close(self.follower)

    def _read(self) -> str:
        while select.select([self.leader], [], [], 0)[0]:
            self.text += os.read(self.leader, 65536).decode(errors="replace")
        return self.text
