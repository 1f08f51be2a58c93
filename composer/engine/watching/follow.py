"""What follows once a service's files are in place: a restart, commands in its containers, a word to its program."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

from composer.api.messages import ExecRequest
from composer.engine.records import ContainerRecord
from composer.engine.watching.deeds import Containers, Deeds
from composer.engine.watching.pending import Pending
from composer.engine.watching.reload import Reload, Step
from composer.watch.rules import Exec, Triggers

_EXEC_TIMEOUT = 600.0


class Ended(Exception):  # noqa: N818 - not a failure: it is to be done again
    """A container ended while a command ran in it."""


class Tell(Protocol):
    """Tells what happened: a status, what it happened for, and more."""

    def __call__(self, status: str, pending: Pending, detail: str = "", *, hint: str = "") -> None: ...


class Follow:
    """Does it for one service."""

    def __init__(self, service: str, files: Containers, deeds: Deeds, tell: Tell, reload: Reload | None) -> None:
        self._service = service
        self._files = files
        self._deeds = deeds
        self._tell = tell
        self._reload = reload

    def steps(self, pending: Pending) -> list[Step]:
        """The steps of `x-reload` that these changes ask for."""
        return [step for step in self._reload.steps if step.concerns(pending.files)] if self._reload else []

    async def run(self, steps: Sequence[Step], pending: Pending) -> bool:
        """Run steps in every container; whether all went well, so that the service may start anew. Raises Ended."""
        for step in steps:
            for record in self._files.running():
                if not await self._exec(record, step.command, pending):
                    return False
        return True

    async def follow(self, triggers: Triggers, pending: Pending, *, wrote: bool) -> None:
        """Do what the rules ask for. Raises Ended."""
        if triggers.restart:
            if await self._deeds.restart(self._service):
                self._tell("restarted", pending)
            return
        for command in triggers.execs:
            for record in self._files.running():
                await self._exec(record, command, pending)
        # An engine that died before this point had brought the files in: that they changed is on record, and enough.
        if self._reload is not None and self._reload.tells and (wrote or any(r.action.syncs for r in pending.rules)):
            await asyncio.sleep(self._reload.settle)
            for record in self._files.running():
                await self._deeds.reload(record, self._reload)
            self._tell("reloaded", pending, str(self._reload))

    async def _exec(self, record: ContainerRecord, command: Exec, pending: Pending) -> bool:
        """Run a command in a container, and tell how it ended; whether well. Raises Ended."""
        request = ExecRequest(
            service=self._service,
            command=command.command,
            environment=command.environment,
            user=command.user,
            working_dir=command.working_dir,
            privileged=command.privileged,
        )
        outcome = await self._deeds.run(record, request, _EXEC_TIMEOUT)
        words = " ".join(command.command)
        if outcome.status == 0:
            self._tell("executed", pending, f"`{words}`")
        elif await self._deeds.ended(record):
            raise Ended
        else:
            said = f": {outcome.output}" if outcome.output else ""
            self._tell("error", pending, f"`{words}` in {record.name} failed with status {outcome.status}{said}")
        return outcome.status == 0
