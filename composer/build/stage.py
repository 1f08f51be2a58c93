"""One stage while it is lowered: what its instructions have made of its image's configuration so far.

The order of things is BuildKit's (`dockerfile2llb`): variables are replaced with what ARG and ENV have said before, every
instruction leaves an entry in the history, and those that change files leave a vertex, too.
"""

from __future__ import annotations

import posixpath
from dataclasses import dataclass, field, replace

from composer.build import history
from composer.build.dockerfile.instructions import (
    Cmd,
    Command,
    Entrypoint,
    Env,
    ExecForm,
    Expose,
    Healthcheck,
    Instruction,
    Label,
    Maintainer,
    Onbuild,
    Shell,
    StopSignal,
    User,
    Volume,
)
from composer.build.dockerfile.ports import read_ports
from composer.build.operations import Change, VertexId
from composer.errors import ContainerError
from composer.oci.config import Healthcheck as Check
from composer.oci.config import ImageConfig
from composer.runtime import signals
from composer.runtime.defaults import PATH

_SHELL = ("/bin/sh", "-c")
_NANOSECONDS = 1_000_000_000


@dataclass(slots=True)
class StageState:
    """A stage up to some instruction."""

    top: VertexId
    config: ImageConfig
    environment: dict[str, str]
    """ENV, and the ARGs in effect."""
    args: list[str] = field(default_factory=list)
    """The ARGs that this very stage has declared so far, one as often as it did."""
    changes: list[Change] = field(default_factory=list)
    has_command: bool = False
    """Whether CMD was said in this very stage: ENTRYPOINT then leaves it alone."""

    @classmethod
    def upon(cls, top: VertexId, config: ImageConfig) -> StageState:
        """A stage that begins with an image."""
        environment = dict(entry.partition("=")[::2] for entry in config.env)
        if "PATH" not in environment:
            environment["PATH"] = PATH
            config = replace(config, env=(*config.env, f"PATH={PATH}"))
        return cls(top, replace(config, created="", on_build=()), environment)

    def child(self) -> StageState:
        """The beginning of a stage that builds on this one, as it is now."""
        return StageState(
            self.top,
            replace(self.config, on_build=()),
            dict(self.environment),
            changes=list(self.changes),
        )

    def note(self, created_by: str, vertex: VertexId = -1) -> None:
        """One more entry of the history; with a `vertex`, that is the top now."""
        self.changes.append(Change(created_by, vertex))
        if vertex >= 0:
            self.top = vertex

    def argv(self, command: Command) -> tuple[str, ...]:
        """What is executed: a line goes to the stage's shell."""
        if isinstance(command, ExecForm):
            return command.argv
        return self.in_shell(command.script)

    def in_shell(self, script: str) -> tuple[str, ...]:
        """A line for the stage's shell."""
        return (*(self.config.shell or _SHELL), script)

    def absolute(self, path: str) -> str:
        """A path as seen from the working directory; a slash at its end stays."""
        joined = posixpath.join("/", self.config.working_dir, path)
        tidy = "/" + posixpath.normpath(joined).lstrip("/")
        stays = path in ("", ".") or path.endswith(("/", "/."))
        return tidy + "/" if stays and tidy != "/" else tidy

    def declare(self, name: str, value: str | None) -> None:
        """One name of an ARG, with its value if it has any."""
        if value is not None:
            self.environment[name] = value
        self.args.append(name)

    @property
    def arguments(self) -> tuple[tuple[str, str], ...]:
        """The ARGs declared so far with what they are worth now."""
        return tuple((name, self.environment.get(name, "")) for name in self.args)

    def configure(self, instruction: Instruction) -> None:
        """An instruction that changes nothing but the configuration, its variables replaced. Raises ValueError."""
        config = self.config
        match instruction:
            case Env() | Label():
                self._pairs(instruction)
            case Cmd() | Entrypoint():
                self._command(instruction)
            case Shell(argv=argv):
                self.config = replace(config, shell=argv)
                self.note(history.plain_list("SHELL", argv))
            case Healthcheck():
                check = _check(instruction)
                self.config = replace(config, healthcheck=check)
                self.note(history.healthcheck(check))
            case User(user=user):
                self.config = replace(config, user=user)
                self.note(f"USER {user}")
            case StopSignal(signal=signal):
                _check_signal(signal)
                self.config = replace(config, stop_signal=signal)
                self.note(f"STOPSIGNAL {signal}")
            case Volume(paths=paths):
                self.config = replace(config, volumes=tuple(sorted({*config.volumes, *paths})))
                self.note(history.plain_list("VOLUME", paths))
            case Expose(ports=ports):
                names = [name for port in ports for name in read_ports(port).names()]
                self.config = replace(config, exposed_ports=tuple(sorted({*config.exposed_ports, *names})))
                self.note(history.expose(names))
            case Maintainer(author=author):
                self.config = replace(config, author=author)
                self.note(f"MAINTAINER {author}")
            case Onbuild(expression=expression):
                self.config = replace(config, on_build=(*config.on_build, expression))
            case _:
                raise TypeError(f"{instruction.name} changes more than the configuration")

    def _pairs(self, instruction: Env | Label) -> None:
        config, added = self.config, {pair.key: pair.value or "" for pair in instruction.pairs}
        if isinstance(instruction, Env):
            self.environment |= added
            env = dict(entry.partition("=")[::2] for entry in config.env) | added
            self.config = replace(config, env=tuple(f"{name}={value}" for name, value in env.items()))
        else:
            self.config = replace(config, labels={**config.labels, **added})
        self.note(history.pairs(instruction.name, instruction.pairs))

    def _command(self, instruction: Cmd | Entrypoint) -> None:
        argv = self.argv(instruction.command)
        if isinstance(instruction, Cmd):
            self.config = replace(self.config, cmd=argv, args_escaped=True)
            self.has_command = True
        else:
            self.config = replace(self.config, entrypoint=argv, cmd=self.config.cmd if self.has_command else ())
        self.note(history.quoted_list(instruction.name, argv))


def _check_signal(text: str) -> None:
    try:
        signals.number(text)
    except ContainerError as error:
        raise ValueError(f"{error.message}; {error.hint}") from error


def _check(instruction: Healthcheck) -> Check:
    return Check(
        instruction.test,
        instruction.interval / _NANOSECONDS,
        instruction.timeout / _NANOSECONDS,
        instruction.start_period / _NANOSECONDS,
        instruction.start_interval / _NANOSECONDS,
        instruction.retries,
    )
