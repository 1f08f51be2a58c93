"""What a Dockerfile says: one frozen class per instruction, stages and the file as a whole.

Values are as written, quotes and variables included: what they are worth depends on the stage (`expand`, `scope`). Flags
are checked as far as they can be without variables. `text` is the statement with its continuations joined: what BuildKit
names a step by, and what it writes into an image's history.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from composer.build.dockerfile.source import Source, Span
from composer.errors import Diagnostic


@dataclass(frozen=True, slots=True)
class Heredoc:
    """`<<EOF` and the lines up to `EOF`; `content` as written, its line ends included."""

    name: str
    content: str
    expand: bool = True
    """Whether variables in it count; not so once any part of the name is quoted."""
    strip_tabs: bool = False
    """`<<-EOF`: leading tabs of each line do not count."""
    descriptor: int = 0

    @property
    def document(self) -> str:
        """The content with the tabs stripped that `<<-` asks for."""
        if not self.strip_tabs:
            return self.content
        return "".join(line.lstrip("\t") for line in self.content.splitlines(keepends=True))


@dataclass(frozen=True, slots=True)
class ShellForm:
    """A command for the stage's shell, with the documents it names."""

    text: str
    heredocs: tuple[Heredoc, ...] = ()
    document_only: bool = False
    """Whether the text is nothing but one heredoc: then the document itself is the script."""

    @property
    def script(self) -> str:
        """What the shell is given: the document where there is nothing else, else text and documents as they stand."""
        if self.document_only:
            return self.heredocs[0].document
        return self.text + "".join(f"\n{heredoc.content}{heredoc.name}" for heredoc in self.heredocs)

    @property
    def has_shebang(self) -> bool:
        """Whether the script is to be run as a file of its own, since it begins with `#!`; no tab may stand before it."""
        return self.document_only and self.heredocs[0].content.startswith("#!")


@dataclass(frozen=True, slots=True)
class ExecForm:
    """A JSON array: a program and its arguments, no shell."""

    argv: tuple[str, ...]


Command = ShellForm | ExecForm


@dataclass(frozen=True, slots=True)
class Pair:
    """One `key=value`; `value` is None only for an ARG without default."""

    key: str
    value: str | None
    legacy: bool = False
    """Written `ENV key value`, without the equals sign."""


@dataclass(frozen=True, slots=True)
class MountFlag:
    """`RUN --mount=…` as written; `mount.read_mount` makes a `Mount` of it once the variables are known."""

    text: str
    source_stage: str = ""
    """`from=`: a stage by name or number, an image or a context; it takes no variables."""


@dataclass(frozen=True, slots=True)
class Device:
    """`RUN --device=…`: a device by its CDI name."""

    name: str
    required: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruction:
    """What all instructions have."""

    name: ClassVar[str] = ""
    """In capitals."""

    keyword: str
    """The name as written."""
    text: str
    span: Span
    comments: tuple[str, ...] = ()
    """The comment lines right above."""


@dataclass(frozen=True, slots=True, kw_only=True)
class From(Instruction):
    """`FROM [--platform=] image [AS name]`: begins a stage."""

    name: ClassVar[str] = "FROM"
    image: str
    platform: str = ""
    alias: str = ""
    """The stage's name as written."""
    as_keyword: str = ""
    """`AS` as written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arg(Instruction):
    """`ARG name[=default] …`"""

    name: ClassVar[str] = "ARG"
    pairs: tuple[Pair, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Env(Instruction):
    """`ENV name=value …`, or the old `ENV name value`."""

    name: ClassVar[str] = "ENV"
    pairs: tuple[Pair, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Label(Instruction):
    """`LABEL name=value …`"""

    name: ClassVar[str] = "LABEL"
    pairs: tuple[Pair, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Maintainer(Instruction):
    """`MAINTAINER name`, deprecated."""

    name: ClassVar[str] = "MAINTAINER"
    author: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Run(Instruction):
    """`RUN [--mount=… --network=… --security=… --device=…] command`"""

    name: ClassVar[str] = "RUN"
    command: Command
    mounts: tuple[MountFlag, ...] = ()
    network: str = "default"
    """`default`, `none` or `host`."""
    security: str = "sandbox"
    """`sandbox` or `insecure`."""
    devices: tuple[Device, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Transfer(Instruction):
    sources: tuple[str, ...]
    """Paths, and for ADD also URLs; not the heredocs."""
    destination: str
    heredocs: tuple[Heredoc, ...] = ()
    """Files whose content stands in the Dockerfile; each is named as its heredoc."""
    owner: str = ""
    """`--chown`"""
    mode: str = ""
    """`--chmod`"""
    link: bool = False
    excludes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy(_Transfer):
    """`COPY [--from= --chown= --chmod= --link --parents --exclude=…] source… destination`"""

    name: ClassVar[str] = "COPY"
    source_stage: str = ""
    """`--from`: a stage by name or number, an image or a context."""
    parents: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Add(_Transfer):
    """`ADD [--chown= --chmod= --link --exclude=… --checksum= --keep-git-dir --unpack] source… destination`"""

    name: ClassVar[str] = "ADD"
    checksum: str = ""
    keep_git_dir: bool | None = None
    """None is unsaid: the source's own query or the build's argument decides."""
    unpack: bool | None = None
    """None is unsaid: local archives are unpacked, what comes from a URL is not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cmd(Instruction):
    """`CMD command`"""

    name: ClassVar[str] = "CMD"
    command: Command


@dataclass(frozen=True, slots=True, kw_only=True)
class Entrypoint(Instruction):
    """`ENTRYPOINT command`"""

    name: ClassVar[str] = "ENTRYPOINT"
    command: Command


@dataclass(frozen=True, slots=True, kw_only=True)
class Shell(Instruction):
    """`SHELL ["program", "argument"…]`"""

    name: ClassVar[str] = "SHELL"
    argv: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Healthcheck(Instruction):
    """`HEALTHCHECK [options] CMD command` or `HEALTHCHECK NONE`; durations in nanoseconds, 0 is unsaid."""

    name: ClassVar[str] = "HEALTHCHECK"
    command: Command | None
    """None is `NONE`."""
    interval: int = 0
    timeout: int = 0
    start_period: int = 0
    start_interval: int = 0
    retries: int = 0

    @property
    def test(self) -> tuple[str, ...]:
        """As an image's config has it: `NONE`, or `CMD` or `CMD-SHELL` and the command."""
        match self.command:
            case None:
                return ("NONE",)
            case ShellForm(text=text):
                return ("CMD-SHELL", text)
            case ExecForm(argv=argv):
                return ("CMD", *argv)


@dataclass(frozen=True, slots=True, kw_only=True)
class Onbuild(Instruction):
    """`ONBUILD instruction`: runs in the stages built on this image."""

    name: ClassVar[str] = "ONBUILD"
    expression: str
    """The instruction as an image's config keeps it, with its documents."""
    instruction: Instruction


@dataclass(frozen=True, slots=True, kw_only=True)
class StopSignal(Instruction):
    """`STOPSIGNAL signal`"""

    name: ClassVar[str] = "STOPSIGNAL"
    signal: str


@dataclass(frozen=True, slots=True, kw_only=True)
class User(Instruction):
    """`USER user[:group]`"""

    name: ClassVar[str] = "USER"
    user: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Workdir(Instruction):
    """`WORKDIR path`"""

    name: ClassVar[str] = "WORKDIR"
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume(Instruction):
    """`VOLUME path…`"""

    name: ClassVar[str] = "VOLUME"
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Expose(Instruction):
    """`EXPOSE port[/protocol]…`; see `ports.read_ports`."""

    name: ClassVar[str] = "EXPOSE"
    ports: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Directives:
    """The parser directives at the top; the lines they stand on by name."""

    syntax: str = ""
    escape: str = "\\"
    check: str = ""
    lines: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stage:
    """One FROM and what follows it."""

    index: int
    base: From
    instructions: tuple[Instruction, ...] = ()

    @property
    def name(self) -> str | None:
        """In lower case, as stages are found by; None without `AS`."""
        return self.base.alias.lower() or None

    @property
    def title(self) -> str:
        """What people are told: the name, or the number where there is none."""
        return self.name or str(self.index)


@dataclass(frozen=True, slots=True)
class Dockerfile:
    """A whole file."""

    source: Source
    directives: Directives
    global_args: tuple[Arg, ...]
    """The ARGs above the first FROM."""
    stages: tuple[Stage, ...]
    warnings: tuple[Diagnostic, ...] = ()
    """What does not stop a build, apart from lint rules."""
    empty_continuations: tuple[int, ...] = ()
    """The lines where statements end that have an empty line inside a continuation."""

    @property
    def escape(self) -> str:
        """The escape character, `\\` or a backtick."""
        return self.directives.escape
