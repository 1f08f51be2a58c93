from dataclasses import fields
from typing import Any

import pytest

from composer.build.dockerfile.instructions import (
    Add,
    Arg,
    Cmd,
    Copy,
    Device,
    Entrypoint,
    Env,
    ExecForm,
    Expose,
    From,
    Healthcheck,
    Heredoc,
    Instruction,
    Label,
    Maintainer,
    MountFlag,
    Onbuild,
    Pair,
    Run,
    Shell,
    ShellForm,
    StopSignal,
    User,
    Volume,
    Workdir,
)
from composer.build.dockerfile.parse import parse
from composer.errors import BuildError, Diagnostic

SECOND = 1_000_000_000


def said(line: str) -> tuple[type[Instruction], dict[str, Any]]:
    """The class of the instruction and what it says beyond defaults."""
    dockerfile = parse(f"{line}\n" if line.lower().startswith("from") else f"FROM a\n{line}\n")
    instruction = dockerfile.stages[0].base if line.lower().startswith("from") else dockerfile.stages[0].instructions[0]
    skipped = {field.name for field in fields(Instruction)}
    values = {
        field.name: getattr(instruction, field.name) for field in fields(instruction) if field.name not in skipped
    }
    defaults = {field.name: field.default for field in fields(instruction)}
    return type(instruction), {name: value for name, value in values.items() if value != defaults[name]}


@pytest.mark.parametrize(
    ("line", "kind", "values"),
    [
        ("FROM a", From, {"image": "a"}),
        (
            "from --platform=linux/arm64 a:1 aS B",
            From,
            {"image": "a:1", "platform": "linux/arm64", "alias": "B", "as_keyword": "aS"},
        ),
        ('ARG A B= C="x y"', Arg, {"pairs": (Pair("A", None), Pair("B", ""), Pair("C", '"x y"'))}),
        ("ENV A=1 B='x y' C=a\\ b", Env, {"pairs": (Pair("A", "1"), Pair("B", "'x y'"), Pair("C", "a\\ b"))}),
        ("ENV A  b c", Env, {"pairs": (Pair("A", "b c", legacy=True),)}),
        ("LABEL a.b=c", Label, {"pairs": (Pair("a.b", "c"),)}),
        ("MAINTAINER a b <c>", Maintainer, {"author": "a b <c>"}),
        ("RUN a | b", Run, {"command": ShellForm("a | b")}),
        ("RUN", Run, {"command": ShellForm("")}),
        ('RUN ["a", "b c"]', Run, {"command": ExecForm(("a", "b c"))}),
        ("RUN ['a']", Run, {"command": ShellForm("['a']")}),
        ("RUN [ -f x ] && y", Run, {"command": ShellForm("[ -f x ] && y")}),
        ('RUN ["a"] && b', Run, {"command": ShellForm('["a"] && b')}),
        (
            "RUN --network=none --security=insecure --device=a/b=c --mount=type=cache,target=/x --mount=from=a,target=/y z",
            Run,
            {
                "command": ShellForm("z"),
                "network": "none",
                "security": "insecure",
                "devices": (Device("a/b=c"),),
                "mounts": (MountFlag("type=cache,target=/x"), MountFlag("from=a,target=/y", "a")),
            },
        ),
        (
            "RUN --mount=type=cache,target=$X,id=${Y} z",
            Run,
            {"command": ShellForm("z"), "mounts": (MountFlag("type=cache,target=$X,id=${Y}"),)},
        ),
        ("COPY a b /c/", Copy, {"sources": ("a", "b"), "destination": "/c/"}),
        ('COPY ["a b", "/c"]', Copy, {"sources": ("a b",), "destination": "/c"}),
        (
            "COPY --from=x --chown=1:2 --chmod=u=rwX --link --parents --exclude=*.md --exclude=b a /c",
            Copy,
            {
                "sources": ("a",),
                "destination": "/c",
                "source_stage": "x",
                "owner": "1:2",
                "mode": "u=rwX",
                "link": True,
                "parents": True,
                "excludes": ("*.md", "b"),
            },
        ),
        ("COPY --link=False a b", Copy, {"sources": ("a",), "destination": "b"}),
        (
            "COPY <<A <<-'B' c /d\nx\nA\n\ty\n\tB",
            Copy,
            {
                "sources": ("c",),
                "destination": "/d",
                "heredocs": (Heredoc("A", "x\n"), Heredoc("B", "\ty\n", False, True)),
            },
        ),
        (
            "ADD --checksum=sha256:aa --keep-git-dir --unpack=false --chmod=644 https://a/b /c",
            Add,
            {
                "sources": ("https://a/b",),
                "destination": "/c",
                "checksum": "sha256:aa",
                "keep_git_dir": True,
                "unpack": False,
                "mode": "644",
            },
        ),
        ("CMD a b", Cmd, {"command": ShellForm("a b")}),
        ("CMD []", Cmd, {"command": ExecForm(())}),
        ('ENTRYPOINT ["a"]', Entrypoint, {"command": ExecForm(("a",))}),
        ('SHELL ["a", "-c"]', Shell, {"argv": ("a", "-c")}),
        ("USER a:b", User, {"user": "a:b"}),
        ("WORKDIR a b", Workdir, {"path": "a b"}),
        ("VOLUME /a /b", Volume, {"paths": ("/a", "/b")}),
        ('VOLUME ["/a", "/b c"]', Volume, {"paths": ("/a", "/b c")}),
        ("EXPOSE 80 81/udp $P", Expose, {"ports": ("80", "81/udp", "$P")}),
        ("STOPSIGNAL SIGINT", StopSignal, {"signal": "SIGINT"}),
        ("HEALTHCHECK none", Healthcheck, {"command": None}),
        ("HEALTHCHECK CMD a || b", Healthcheck, {"command": ShellForm("a || b")}),
        (
            'HEALTHCHECK --interval=1m30s --timeout=1.5s --start-period=0s --start-interval=500ms --retries=3 CMD ["a"]',
            Healthcheck,
            {
                "command": ExecForm(("a",)),
                "interval": 90 * SECOND,
                "timeout": 1_500_000_000,
                "start_interval": 500_000_000,
                "retries": 3,
            },
        ),
    ],
)
def test_instructions_say_what_is_written(line: str, kind: type[Instruction], values: dict[str, Any]) -> None:
    assert said(line) == (kind, values)


def test_the_test_of_a_healthcheck_is_as_in_an_image_config() -> None:
    checks = parse('FROM a\nHEALTHCHECK CMD a b\nHEALTHCHECK CMD ["a", "b"]\nHEALTHCHECK NONE\n').stages[0].instructions

    assert [check.test for check in checks if isinstance(check, Healthcheck)] == [
        ("CMD-SHELL", "a b"),
        ("CMD", "a", "b"),
        ("NONE",),
    ]


def test_a_trigger_is_kept_as_text_and_as_instruction() -> None:
    (onbuild,) = parse("FROM a\nONBUILD   COPY <<A /d\nx\nA\n").stages[0].instructions

    assert isinstance(onbuild, Onbuild)
    assert onbuild.expression == "COPY <<A /d\nx\nA"
    assert isinstance(onbuild.instruction, Copy)
    assert onbuild.instruction.heredocs == (Heredoc("A", "x\n"),)


@pytest.mark.parametrize(
    ("lines", "script", "has_shebang"),
    [
        ("<<EOF\na $X\nEOF", "a $X\n", False),
        ("<<-EOF\n\ta\n\t\tb\n\tEOF", "a\nb\n", False),
        ("<<-EOF\n\t#!/bin/x\n\tEOF", "#!/bin/x\n", False),
        ("cat <<A && cat <<B\n1\nA\n2\nB", "cat <<A && cat <<B\n1\nA\n2\nB", False),
        ("cat <<-A\n\t1\n\tA", "cat <<-A\n\t1\nA", False),
    ],
)
def test_a_shell_is_given_the_document_or_the_text_with_its_documents(
    lines: str, script: str, has_shebang: bool
) -> None:
    (run,) = parse(f"FROM a\nRUN {lines}\n").stages[0].instructions

    assert isinstance(run, Run)
    assert isinstance(run.command, ShellForm)
    assert (run.command.script, run.command.has_shebang) == (script, has_shebang)


def problem(line: str) -> Diagnostic:
    with pytest.raises(BuildError) as caught:
        parse(f"FROM a\n{line}\n")
    (diagnostic,) = caught.value.diagnostics
    return diagnostic


@pytest.mark.parametrize(
    ("line", "caret", "message", "hint"),
    [
        ("RNU a", "RNU", "unknown instruction `RNU`", "did you mean `RUN`?"),
        ("copyy a b", "copyy", "unknown instruction `copyy`", "did you mean `COPY`?"),
        ("XYZZY", "XYZZY", "unknown instruction `XYZZY`", ""),
        (
            "FROM a AS 1b",
            "1b",
            "invalid name for build stage: `1b`",
            "begin with a letter; then letters, digits, `-`, `_` and `.`",
        ),
        ("FROM", "FROM", "`FROM` requires either one or three arguments", "write `FROM image` or `FROM image AS name`"),
        ("FROM a b c", "a b c", "`FROM` requires either one or three arguments", "did you mean `a AS c`?"),
        (
            "FROM a as b c",
            "a as b c",
            "`FROM` requires either one or three arguments",
            "write `FROM image` or `FROM image AS name`",
        ),
        (
            "FROM --platfrom=x a",
            "--platfrom=x",
            "`FROM` does not know the flag `--platfrom`",
            "did you mean `--platform`?",
        ),
        (
            "COPY a",
            "a",
            "`COPY` requires at least two arguments, but only one was provided; the destination could not be determined",
            "write `COPY source… destination`",
        ),
        ("ADD", "ADD", "`ADD` requires at least two arguments, none was provided", "write `ADD source… destination`"),
        ("COPY --chown a b", "--chown", "the flag `--chown` needs a value", "write `--chown=…`"),
        ("COPY --link=maybe a b", "--link=maybe", "the flag `--link` takes `true` or `false`, not `maybe`", ""),
        ("COPY --from=a --from=b c d", "--from=b", "the flag `--from` stands twice", ""),
        (
            "COPY --from=$X a b",
            "--from=$X",
            "`--from` doesn't support variable expansion",
            "name a stage: `FROM …$NAME AS alias`, then `--from=alias`",
        ),
        (
            "COPY --unpack a b",
            "--unpack",
            "`COPY` does not know the flag `--unpack`",
            "`COPY` knows `--from`, `--chown`, `--chmod`, `--link`, `--exclude` or `--parents`",
        ),
        (
            "ADD --from=x a b",
            "--from=x",
            "`ADD` does not know the flag `--from`",
            "`ADD` knows `--chown`, `--chmod`, `--link`, `--exclude`, `--checksum`, `--keep-git-dir` or `--unpack`",
        ),
        ("USER --x=y a", "--x=y", "`USER` does not know the flag `--x`", "`USER` has no flags"),
        ("COPY a <<EOF\nx\nEOF", "<<EOF", "`COPY` cannot accept a heredoc as a destination", ""),
        ("RUN --network=hots a", "--network=hots", "`--network` does not know `hots`", "did you mean `host`?"),
        ("RUN --security=x a", "--security=x", "`--security` does not know `x`", "write `sandbox` or `insecure`"),
        ("RUN --device= a", "--device=", "a device needs a name", "write for instance `--device=vendor.com/gpu=all`"),
        (
            "RUN --device=name=a,x=y a",
            "--device=name=a,x=y",
            "unexpected `x=y` in a device",
            "a device has a name and perhaps `required`",
        ),
        (
            "RUN --mount=type=cahce,target=/x a",
            "--mount=type=cahce,target=/x",
            "a mount's `type` cannot be `cahce`",
            "did you mean `cache`?",
        ),
        (
            "RUN --mount=from=$X,target=/x a",
            "--mount=from=$X,target=/x",
            "`from` doesn't support variable expansion",
            "name a stage: `FROM …$NAME AS alias`, then `from=alias`",
        ),
        ("RUN [1]", "[1]", "a JSON array of a command may hold strings only", ""),
        (
            "RUN cat <<EOF",
            "<<EOF",
            "the heredoc `EOF` does not end",
            "end it with a line that says `EOF` and nothing else",
        ),
        ("ENV", "ENV", "`ENV` requires at least one argument", ""),
        ("ENV a", "a", "`ENV` must have two arguments", "write `ENV a=value`"),
        (
            "ENV a=b c d=e",
            "c",
            "can't find = in `c`: must be of the form name=value",
            'quote the value if it has spaces: `a="b c"`',
        ),
        ("ENV =b", "=b", "`ENV` names can not be blank", ""),
        ("ARG", "ARG", "`ARG` requires at least one argument", ""),
        ("ARG =b", "=b", "`ARG` names can not be blank", ""),
        (
            "SHELL /bin/sh -c",
            "/bin/sh -c",
            "`SHELL` requires the arguments to be in JSON form",
            'write `SHELL ["/bin/bash", "-c"]`',
        ),
        ("SHELL []", "[]", "`SHELL` requires at least one argument", ""),
        (
            "HEALTHCHECK",
            "HEALTHCHECK",
            "`HEALTHCHECK` requires at least one argument",
            "write `HEALTHCHECK CMD …` or `HEALTHCHECK NONE`",
        ),
        ("HEALTHCHECK NONE x", "x", "`HEALTHCHECK NONE` takes no arguments", ""),
        ("HEALTHCHECK CMD", "CMD", "missing command after `HEALTHCHECK CMD`", ""),
        ("HEALTHCHECK curl x", "curl", "unknown type `curl` in `HEALTHCHECK`", "write `HEALTHCHECK CMD curl x`"),
        (
            "HEALTHCHECK --interval=5 CMD x",
            "--interval=5",
            "`--interval`: `5` is no duration; write for instance `30s` or `1m30s`",
            "",
        ),
        ("HEALTHCHECK --interval=1us CMD x", "--interval=1us", "`--interval=1us` cannot be less than 1ms", ""),
        (
            "HEALTHCHECK --retries=-1 CMD x",
            "--retries=-1",
            "`--retries` takes a number that is not negative, not `-1`",
            "",
        ),
        ("ONBUILD", "ONBUILD", "`ONBUILD` requires at least one argument", ""),
        ("ONBUILD ONBUILD RUN a", "ONBUILD", "chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed", ""),
        ("ONBUILD FROM a", "FROM", "`FROM` isn't allowed as an ONBUILD trigger", ""),
        ("ONBUILD RNU a", "RNU", "unknown instruction `RNU`", "did you mean `RUN`?"),
        ("ONBUILD COPY --form=x a b", "--form=x", "`COPY` does not know the flag `--form`", "did you mean `--from`?"),
        ("VOLUME", "VOLUME", "`VOLUME` requires at least one argument", ""),
        ('VOLUME [""]', '[""]', "a `VOLUME` can not be an empty string", ""),
        ("EXPOSE", "EXPOSE", "`EXPOSE` requires at least one argument", ""),
        ("WORKDIR", "WORKDIR", "`WORKDIR` requires exactly one argument", ""),
    ],
)
def test_what_is_wrong_is_told_with_its_place_and_what_to_try(line: str, caret: str, message: str, hint: str) -> None:
    told = problem(line)

    assert (told.message, told.hint) == (message, hint)
    assert told.location is not None
    place = told.location
    assert place.source[place.column - 1 : place.column - 1 + place.length] == caret


def test_the_caret_of_an_inner_instruction_is_at_the_inner_one() -> None:
    told = problem("ONBUILD ONBUILD RUN a")

    assert told.location is not None
    assert told.location.column == 9
