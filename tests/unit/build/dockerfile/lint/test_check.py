"""The cases are those of BuildKit's own tests of its rules, and a few of ours."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from composer.build.dockerfile.lint.check import LintReport, check, unknown_rules
from composer.build.dockerfile.lint.rules import RULES
from composer.build.dockerfile.parse import parse
from composer.errors import BuildError
from composer.ignore import DockerPatterns
from composer.oci.config import ImageConfig
from composer.oci.descriptor import Platform

HERE = Platform("amd64", "linux")
KNOWN = ImageConfig("amd64", "linux", env=("PATH=/bin", "LANG=C"))
IMAGES = {"alpine": KNOWN, "busybox:latest": KNOWN}


def report(text: str, args: Mapping[str, str] | None = None, **options: Any) -> LintReport:
    return check(parse(text), build=HERE, platform=HERE, args=args or {}, **{"config_of": IMAGES.get, **options})


def lint(text: str, args: Mapping[str, str] | None = None, **options: Any) -> list[tuple[str, int, str]]:
    return [(w.rule.name, w.span.first, w.message) for w in report(text, args, **options).warnings]


def test_the_rules_are_those_of_buildkit() -> None:
    assert " ".join(RULES) == (
        "StageNameCasing FromAsCasing NoEmptyContinuation ConsistentInstructionCasing DuplicateStageName"
        " ReservedStageName JSONArgsRecommended MaintainerDeprecated UndefinedArgInFrom WorkdirRelativePath UndefinedVar"
        " MultipleInstructionsDisallowed LegacyKeyValueFormat InvalidBaseImagePlatform RedundantTargetPlatform"
        " SecretsUsedInArgOrEnv InvalidDefaultArgInFrom FromPlatformFlagConstDisallowed CopyIgnoredFile"
        " InvalidDefinitionDescription ExposeProtoCasing ExposeInvalidFormat"
    )


def upper(keyword: str, line: int) -> tuple[str, int, str]:
    message = f"Command '{keyword}' should match the case of the command majority (uppercase)"
    return ("ConsistentInstructionCasing", line, message)


def lower(keyword: str, line: int) -> tuple[str, int, str]:
    message = f"Command '{keyword}' should match the case of the command majority (lowercase)"
    return ("ConsistentInstructionCasing", line, message)


def secret(what: str, line: int) -> tuple[str, int, str]:
    return ("SecretsUsedInArgOrEnv", line, f"Do not use ARG or ENV instructions for sensitive data ({what})")


def json_args(keyword: str, line: int) -> tuple[str, int, str]:
    message = f"JSON arguments recommended for {keyword} to prevent unintended behavior related to OS signals"
    return ("JSONArgsRecommended", line, message)


def undefined(name: str, line: int, near: str = "") -> tuple[str, int, str]:
    suggestion = f" (did you mean ${near}?)" if near else ""
    return ("UndefinedVar", line, f"Usage of undefined variable '${name}'{suggestion}")


def multiple(keyword: str, line: int) -> tuple[str, int, str]:
    message = (
        f"Multiple {keyword} instructions should not be used in the same stage because only the last one will be used"
    )
    return ("MultipleInstructionsDisallowed", line, message)


def description(what: str, name: str, line: int) -> tuple[str, int, str]:
    message = f"Comment for {what} should follow the format: `# {name} <description>`"
    return ("InvalidDefinitionDescription", line, message)


CASES: list[tuple[str, list[tuple[str, int, str]]]] = [
    # StageNameCasing, FromAsCasing
    (
        "FROM scratch AS BadStageName\nFROM scratch as base2\nFROM scratch AS base3\n",
        [
            ("StageNameCasing", 1, "Stage name 'BadStageName' should be lowercase"),
            ("FromAsCasing", 2, "'as' and 'FROM' keywords' casing do not match"),
        ],
    ),
    (
        "from scratch AS base\nfrom scratch as base2\n",
        [("FromAsCasing", 1, "'AS' and 'from' keywords' casing do not match")],
    ),
    # NoEmptyContinuation
    (
        "FROM scratch\n# comment\nCOPY Dockerfile \\\n\n.\nCOPY Dockerfile \\\n.\n",
        [("NoEmptyContinuation", 5, "Empty continuation line")],
    ),
    ("FROM scratch\nRUN a \\\n  # comment\n  b\n", []),
    # ConsistentInstructionCasing
    ("From scratch as base\nFROM scratch AS base2\n", [upper("From", 1)]),
    ("FROM scratch\ncopy Dockerfile /foo\nCOPY Dockerfile /bar\n", [upper("copy", 2)]),
    ("frOM scratch as base\nfrom scratch as base2\n", [lower("frOM", 1)]),
    ("from scratch\nCOPY Dockerfile /foo\ncopy Dockerfile /bar\n", [lower("COPY", 2)]),
    ("from scratch\nCOPY a /foo\nCOPY a /bar\nCOPY a /baz\n", [upper("from", 1)]),
    ("FROM scratch\ncopy a /foo\ncopy a /bar\ncopy a /baz\n", [lower("FROM", 1)]),
    ("from scratch\ncopy Dockerfile /foo\n", []),
    ("FROM alpine\nRUN <<'EOT'\nenv\nEOT\n", []),
    # DuplicateStageName, ReservedStageName
    (
        "FROM scratch AS b\nFROM scratch AS b\n",
        [("DuplicateStageName", 2, 'Duplicate stage name "b", stage names should be unique')],
    ),
    (
        "FROM scratch AS scratch\nFROM scratch AS context\n",
        [
            ("ReservedStageName", 1, 'Stage name should not use the same name as reserved stage "scratch"'),
            ("ReservedStageName", 2, 'Stage name should not use the same name as reserved stage "context"'),
        ],
    ),
    ("FROM scratch\nFROM scratch AS a\n", []),
    # JSONArgsRecommended
    ("FROM scratch\nCMD mycommand\n", [json_args("CMD", 2)]),
    ("FROM scratch\nENTRYPOINT mycommand\n", [json_args("ENTRYPOINT", 2)]),
    ('FROM scratch\nSHELL ["/usr/bin/customshell"]\nCMD mycommand\nENTRYPOINT mycommand\n', []),
    ('FROM scratch AS base\nSHELL ["/usr/bin/customshell"]\nFROM base\nCMD mycommand\n', []),
    # MaintainerDeprecated
    (
        "FROM scratch\nMAINTAINER me@example.org\n",
        [("MaintainerDeprecated", 2, "Maintainer instruction is deprecated in favor of using label")],
    ),
    ('FROM scratch\nLABEL org.opencontainers.image.authors="me@example.org"\n', []),
    # UndefinedArgInFrom
    ("ARG base=scratch\nFROM $base\nCOPY Dockerfile .\n", []),
    ("ARG BUILDPLATFORM=linux/amd64\nFROM --platform=$BUILDPLATFORM scratch\n", []),
    ("FROM --platform=$BUILDPLATFORM scratch\n", []),
    ("ARG DEBUG\nFROM scratch${DEBUG}\n", []),
    ("ARG DEBUG\nFROM scra${DEBUG:-tch}\n", []),
    ('ARG DEBUG=""\nFROM scratch${DEBUG-@bogus}\n', []),
    (
        "FROM --platform=$BULIDPLATFORM scratch\n",
        [("UndefinedArgInFrom", 1, "FROM argument 'BULIDPLATFORM' is not declared (did you mean BUILDPLATFORM?)")],
    ),
    (
        "ARG MY_OS=linux\nARG MY_ARCH=amd64\nFROM --platform=linux/${MYARCH} busybox\n",
        [("UndefinedArgInFrom", 3, "FROM argument 'MYARCH' is not declared (did you mean MY_ARCH?)")],
    ),
    (
        "ARG tag=latest\nFROM busybox:${tag}${version} AS b\n",
        [("UndefinedArgInFrom", 2, "FROM argument 'version' is not declared")],
    ),
    # WorkdirRelativePath
    (
        "FROM scratch\nWORKDIR app/\n",
        [
            (
                "WorkdirRelativePath",
                2,
                'Relative workdir "app/" can have unexpected results if the base image changes',
            )
        ],
    ),
    ("FROM scratch AS a\nWORKDIR /app\nFROM a AS b\nWORKDIR subdir/\n", []),
    # UndefinedVar
    ("FROM scratch\nARG foo\nCOPY Dockerfile${foo} .\n", []),
    ("FROM alpine AS base\nARG foo=Dockerfile\nFROM base\nCOPY $foo .\n", []),
    ("FROM alpine\nRUN echo $PATH $NONE\n", []),
    ("FROM alpine\nCOPY $foo .\nARG foo=bar\nRUN echo $foo\n", [undefined("foo", 2)]),
    ("FROM alpine\nARG DIR_ASSETS=assets/\nCOPY $DIR_ASSET .\n", [undefined("DIR_ASSET", 3, "DIR_ASSETS")]),
    ("FROM alpine\nENV PATH=$PAHT:/tmp/bin\n", [undefined("PAHT", 2, "PATH")]),
    (
        "FROM scratch AS first\nCOPY $foo .\nFROM scratch AS second\nCOPY $bar .\n",
        [undefined("foo", 2), undefined("bar", 4)],
    ),
    ("FROM alpine\nENV A=$LANG B='$C'\n", []),
    ("FROM unknown\nENV A=$ITS_OWN\n", []),
    ("FROM unknown\nARG MINE=1\nENV A=$MIEN\n", [undefined("MIEN", 3, "MINE")]),
    ("FROM alpine\nRUN --mount=type=cache,target=/$X true\n", [undefined("X", 2)]),
    # MultipleInstructionsDisallowed
    (
        'FROM scratch\nENTRYPOINT ["/a"]\nENTRYPOINT ["/b"]\nCMD ["/a"]\nCMD ["/b"]\nHEALTHCHECK CMD ["/a"]\nHEALTHCHECK NONE\n',
        [multiple("ENTRYPOINT", 2), multiple("CMD", 4), multiple("HEALTHCHECK", 6)],
    ),
    (
        'FROM scratch\nENTRYPOINT ["/a"]\nCOPY <<EOF /a.txt\nHello, World!\nEOF\nENTRYPOINT ["/b"]\n',
        [multiple("ENTRYPOINT", 2)],
    ),
    ('FROM scratch AS a\nCMD ["/a"]\nFROM a AS b\nCMD ["/b"]\n', []),
    # LegacyKeyValueFormat
    (
        "FROM scratch\nENV testkey value\nLABEL key value\n",
        [
            ("LegacyKeyValueFormat", 2, '"ENV key=value" should be used instead of legacy "ENV key value" format'),
            ("LegacyKeyValueFormat", 3, '"LABEL key=value" should be used instead of legacy "LABEL key value" format'),
        ],
    ),
    ("FROM scratch\nENV testkey=value\nLABEL key=value\n", []),
    # RedundantTargetPlatform
    (
        "FROM --platform=$TARGETPLATFORM scratch\n",
        [
            (
                "RedundantTargetPlatform",
                1,
                "Setting platform to predefined $TARGETPLATFORM in FROM is redundant as this is the default behavior",
            )
        ],
    ),
    (
        "FROM --platform=${TARGETPLATFORM} scratch\n",
        [
            (
                "RedundantTargetPlatform",
                1,
                "Setting platform to predefined ${TARGETPLATFORM} in FROM is redundant as this is the default behavior",
            )
        ],
    ),
    # SecretsUsedInArgOrEnv
    (
        """\
FROM scratch
ARG SECRET_PASSPHRASE
ENV SUPER_Secret=foo
ENV password=bar secret=baz
ARG super_duper_secret_token=foo auth=bar
ENV apikey=bar sunflower=foo
ENV git_key=
ENV PUBLIC_KEY=
ARG public_token
""",
        [
            secret('ARG "SECRET_PASSPHRASE"', 2),
            secret('ENV "SUPER_Secret"', 3),
            secret('ENV "password"', 4),
            secret('ENV "secret"', 4),
            secret('ARG "auth"', 5),
            secret('ARG "super_duper_secret_token"', 5),
            secret('ENV "apikey"', 6),
            secret('ENV "git_key"', 7),
        ],
    ),
    # InvalidDefaultArgInFrom
    (
        "ARG VERSION=\nFROM busybox:${VERSION:-latest}\nFROM busybox:$VERSION\n",
        [
            (
                "InvalidDefaultArgInFrom",
                3,
                "Default value for ARG busybox:$VERSION results in empty or invalid base image name",
            )
        ],
    ),
    (
        "ARG IMAGE\nFROM $IMAGE\n",
        [("InvalidDefaultArgInFrom", 2, "Default value for ARG $IMAGE results in empty or invalid base image name")],
    ),
    (
        'ARG SFX="box:"\nFROM busy${SFX}\n',
        [
            (
                "InvalidDefaultArgInFrom",
                2,
                "Default value for ARG busy${SFX} results in empty or invalid base image name",
            )
        ],
    ),
    ('ARG BUSYBOX_VARIANT=""\nFROM busybox:stable${BUSYBOX_VARIANT}\n', []),
    # FromPlatformFlagConstDisallowed
    (
        "FROM --platform=linux/amd64 scratch\n",
        [("FromPlatformFlagConstDisallowed", 1, 'FROM --platform flag should not use constant value "linux/amd64"')],
    ),
    ("FROM --platform=linux/amd64 scratch AS my_amd64_stage\n", []),
    ("FROM --platform=linux/amd64 scratch AS linux\n", []),
    # InvalidDefinitionDescription
    (
        """\
# check=experimental=InvalidDefinitionDescription
# foo this is the foo
ARG foo=bar

# base this is the base image
FROM scratch AS base

# version this is the version number
ARG version=latest

# baz this is the baz
ARG foo=baz bar=qux baz=quux
#
ARG bit=bat

# comment for something other than ARG or FROM
COPY Dockerfile .
""",
        [],
    ),
    (
        """\
# check=experimental=InvalidDefinitionDescription
# bar this is the bar
ARG foo=bar
# BasE this is the BasE image
FROM scratch AS base
# definitely a bad comment
ARG version=latest
# definitely a bad comment
ARG foo=baz bar=qux baz=quux
""",
        [
            description("ARG", "foo", 3),
            description("FROM", "base", 5),
            description("ARG", "version", 7),
            description("ARG", "<arg_key>", 9),
        ],
    ),
    ("# not asked for\nFROM scratch AS base\n", []),
    # ExposeProtoCasing, ExposeInvalidFormat
    (
        "FROM scratch\nEXPOSE 80/TcP 81/tcp 82\n",
        [("ExposeProtoCasing", 2, "Defined protocol '80/TcP' in EXPOSE instruction should be lowercase")],
    ),
    (
        "FROM scratch\nEXPOSE 127.0.0.1:80:80 81:82 83\n",
        [
            (
                "ExposeInvalidFormat",
                2,
                "EXPOSE instruction should not define an IP address or host-port mapping, found '127.0.0.1:80:80'",
            ),
            (
                "ExposeInvalidFormat",
                2,
                "EXPOSE instruction should not define an IP address or host-port mapping, found '81:82'",
            ),
        ],
    ),
    # what `check` says
    ("#check=skip=all\nFROM scratch as base\ncopy Dockerfile .\n", []),
    ("#check=skip=ConsistentInstructionCasing,FromAsCasing\nFROM scratch as base\ncopy Dockerfile .\n", []),
    (
        "#check=skip=ConsistentInstructionCasing;error=true\nFROM scratch as base\ncopy Dockerfile .\n",
        [("FromAsCasing", 2, "'as' and 'FROM' keywords' casing do not match")],
    ),
    ("FROM scratch\n# check=skip=JSONArgsRecommended // meant\nCMD a\n", []),
    ("FROM scratch\n# check=skip=JSONArgsRecommended\n\nCMD a\n", [json_args("CMD", 4)]),
]


@pytest.mark.parametrize(("text", "expected"), CASES, ids=range(len(CASES)))
def test_findings_are_those_of_buildkit(text: str, expected: list[tuple[str, int, str]]) -> None:
    args = {"IMAGE": "alpine", "SFX": "box:latest"}

    assert lint(text, args) == expected


def test_ignored_files_are_found_unless_the_ignore_file_has_exceptions() -> None:
    text = (
        "FROM scratch AS base\nCOPY Dockerfile .\nADD /Dockerfile https://x/y /windy\nCOPY --from=base Dockerfile /\n"
    )
    found = [
        ("CopyIgnoredFile", 2, 'Attempting to Copy file "Dockerfile" that is excluded by .dockerignore'),
        ("CopyIgnoredFile", 3, 'Attempting to Add file "/Dockerfile" that is excluded by .dockerignore'),
    ]

    assert lint(text, ignored=DockerPatterns(["Dockerfile"])) == found
    assert lint(text, ignored=DockerPatterns(["*", "!x"])) == []
    assert lint("FROM scratch\nCOPY . /\n", ignored=DockerPatterns(["*.md"])) == []
    assert lint("FROM scratch\nCOPY . /\n", ignored=DockerPatterns(["*"])) != []


def test_an_image_of_another_platform_is_found() -> None:
    images = {"alpine": replace(KNOWN, architecture="arm64", variant="v8")}

    assert lint("FROM alpine\n", config_of=images.get) == [
        (
            "InvalidBaseImagePlatform",
            1,
            'Base image alpine was pulled with platform "linux/arm64/v8", expected "linux/amd64" for current build',
        )
    ]
    assert lint("FROM --platform=linux/arm64 alpine AS arm64\n", config_of=images.get) == []


def test_the_build_argument_stands_in_place_of_the_directive() -> None:
    text = "#check=skip=all\nFROM scratch as base\ncopy a .\n"
    args = {"BUILDKIT_DOCKERFILE_CHECK": "skip=ConsistentInstructionCasing;error=true"}

    assert report(text).failed is False
    assert report(text, args).failed is True
    assert [name for name, _, _ in lint(text, args)] == ["FromAsCasing"]


def test_a_check_that_makes_no_sense_is_an_error() -> None:
    with pytest.raises(BuildError) as caught:
        report("# check=skip=all;eror=true\nFROM a\n")

    assert caught.value.message == "invalid check option `eror=true`"
    assert str(caught.value.location) == "Dockerfile:1:1"


def test_names_of_no_rule_are_told() -> None:
    (warning,) = unknown_rules(parse("# check=skip=JSONArgRecommended,all\nFROM a\n"))

    assert (warning.message, warning.hint) == (
        "there is no rule `JSONArgRecommended`",
        "did you mean `JSONArgsRecommended`?",
    )


def test_only_the_stages_that_the_target_needs_are_looked_into() -> None:
    text = "FROM scratch AS a\nFROM a AS b\nENV testkey value\nFROM a AS c\n"

    assert lint(text, target="c") == []
    assert len(lint(text)) == 1


def test_what_a_build_would_stop_at_is_told_beside_the_warnings() -> None:
    found = report("FROM scratch AS X\nEXPOSE 80/abc $NONE\nENV A=${\nCOPY --from=9 a b\nCMD a\nARG V=\nVOLUME $V\n")

    assert [warning.rule.name for warning in found.warnings] == ["StageNameCasing", "JSONArgsRecommended"]
    assert [problem.message for problem in found.problems] == [
        "invalid port `80/abc`: invalid protocol `abc`",
        "failed to process `${`: syntax error: missing '}'",
        "a `VOLUME` can not be an empty string",
        "invalid stage index 9",
    ]


def test_a_warning_has_its_place_and_says_what_to_write() -> None:
    found = report('FROM scratch\nCMD node index.js\nENV a "b" c\n').warnings

    assert [(str(warning.location), warning.location.length, warning.hint) for warning in found] == [
        ("Dockerfile:2:1", 17, 'write `CMD ["node", "index.js"]`'),
        ("Dockerfile:3:1", 11, 'write `ENV a="b c"`'),
    ]
    (undefined_one,) = report("FROM alpine\nENV A=1 \\\n  B=x${BB}\n", config_of={"alpine": KNOWN}.get).warnings
    assert (str(undefined_one.location), undefined_one.location.length) == ("Dockerfile:3:6", 4)
    assert found[0].diagnostic().message == f"JSONArgsRecommended: {found[0].message}"
    assert all(rule.hint for rule in RULES.values())
