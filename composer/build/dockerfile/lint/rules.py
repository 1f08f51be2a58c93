"""The rules: what each is about, where it is explained, what to do.

Names, descriptions and messages are BuildKit's
<https://github.com/moby/buildkit/blob/master/frontend/dockerfile/linter/ruleset.go>.
"""

from __future__ import annotations

from dataclasses import dataclass

_PAGES = "https://docs.docker.com/go/dockerfile/rule/"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule."""

    name: str
    description: str
    message: str
    """With places for what was found, in braces."""
    hint: str
    """What to do, in general."""
    page: str = ""
    experimental: bool = False
    """Found only if `# check=experimental=…` asks for it."""

    @property
    def url(self) -> str:
        """The page about the rule; empty if there is none."""
        return f"{_PAGES}{self.page}/" if self.page else ""


STAGE_NAME_CASING = Rule(
    "StageNameCasing",
    "Stage names should be lowercase",
    "Stage name '{name}' should be lowercase",
    "write the stage's name in lower case",
    "stage-name-casing",
)
FROM_AS_CASING = Rule(
    "FromAsCasing",
    "The 'as' keyword should match the case of the 'from' keyword",
    "'{as_keyword}' and '{keyword}' keywords' casing do not match",
    "write `FROM` and `AS` in the same case",
    "from-as-casing",
)
NO_EMPTY_CONTINUATION = Rule(
    "NoEmptyContinuation",
    "Empty continuation lines will become errors in a future release",
    "Empty continuation line",
    "remove the empty lines within the instruction, or begin them with `#`",
    "no-empty-continuation",
)
CONSISTENT_INSTRUCTION_CASING = Rule(
    "ConsistentInstructionCasing",
    "All commands within the Dockerfile should use the same casing (either upper or lower)",
    "Command '{keyword}' should match the case of the command majority ({casing})",
    "write all instructions in the same case",
    "consistent-instruction-casing",
)
DUPLICATE_STAGE_NAME = Rule(
    "DuplicateStageName",
    "Stage names should be unique",
    'Duplicate stage name "{name}", stage names should be unique',
    "give one of the stages another name",
    "duplicate-stage-name",
)
RESERVED_STAGE_NAME = Rule(
    "ReservedStageName",
    "Reserved words should not be used as stage names",
    'Stage name should not use the same name as reserved stage "{name}"',
    "give the stage another name",
    "reserved-stage-name",
)
JSON_ARGS_RECOMMENDED = Rule(
    "JSONArgsRecommended",
    "JSON arguments recommended for ENTRYPOINT/CMD to prevent unintended behavior related to OS signals",
    "JSON arguments recommended for {keyword} to prevent unintended behavior related to OS signals",
    "write the command as a JSON array, or say with `SHELL` that a shell is meant",
    "json-args-recommended",
)
MAINTAINER_DEPRECATED = Rule(
    "MaintainerDeprecated",
    "The MAINTAINER instruction is deprecated, use a label instead to define an image author",
    "Maintainer instruction is deprecated in favor of using label",
    "use the label `org.opencontainers.image.authors`",
    "maintainer-deprecated",
)
UNDEFINED_ARG_IN_FROM = Rule(
    "UndefinedArgInFrom",
    "FROM command must use declared ARGs",
    "FROM argument '{name}' is not declared{suggestion}",
    "declare it with `ARG` above the first `FROM`",
    "undefined-arg-in-from",
)
WORKDIR_RELATIVE_PATH = Rule(
    "WorkdirRelativePath",
    "Relative workdir without an absolute workdir declared within the build can have unexpected results if the base"
    " image changes",
    "Relative workdir {path} can have unexpected results if the base image changes",
    "begin the path with `/`",
    "workdir-relative-path",
)
UNDEFINED_VAR = Rule(
    "UndefinedVar",
    "Variables should be defined before their use",
    "Usage of undefined variable '${name}'{suggestion}",
    "define it with `ARG` or `ENV` in this stage, above the instruction",
    "undefined-var",
)
MULTIPLE_INSTRUCTIONS_DISALLOWED = Rule(
    "MultipleInstructionsDisallowed",
    "Multiple instructions of the same type should not be used in the same stage",
    "Multiple {keyword} instructions should not be used in the same stage because only the last one will be used",
    "remove all but the last one",
    "multiple-instructions-disallowed",
)
LEGACY_KEY_VALUE_FORMAT = Rule(
    "LegacyKeyValueFormat",
    "Legacy key/value format with whitespace separator should not be used",
    '"{keyword} key=value" should be used instead of legacy "{keyword} key value" format',
    "put `=` between name and value, and quotes around a value with spaces",
    "legacy-key-value-format",
)
INVALID_BASE_IMAGE_PLATFORM = Rule(
    "InvalidBaseImagePlatform",
    "Base image platform does not match expected target platform",
    'Base image {image} was pulled with platform "{actual}", expected "{expected}" for current build',
    "choose an image that is made for this platform, or say `--platform`",
)
REDUNDANT_TARGET_PLATFORM = Rule(
    "RedundantTargetPlatform",
    "Setting platform to predefined $TARGETPLATFORM in FROM is redundant as this is the default behavior",
    "Setting platform to predefined {platform} in FROM is redundant as this is the default behavior",
    "remove the flag",
    "redundant-target-platform",
)
SECRETS_USED_IN_ARG_OR_ENV = Rule(
    "SecretsUsedInArgOrEnv",
    "Sensitive data should not be used in the ARG or ENV commands",
    'Do not use ARG or ENV instructions for sensitive data ({instruction} "{name}")',
    "pass it with `RUN --mount=type=secret`, or when the container starts",
    "secrets-used-in-arg-or-env",
)
INVALID_DEFAULT_ARG_IN_FROM = Rule(
    "InvalidDefaultArgInFrom",
    "Default value for global ARG results in an empty or invalid base image name",
    "Default value for ARG {image} results in empty or invalid base image name",
    "give the `ARG` a default with which the name is a valid one",
    "invalid-default-arg-in-from",
)
FROM_PLATFORM_FLAG_CONST_DISALLOWED = Rule(
    "FromPlatformFlagConstDisallowed",
    "FROM --platform flag should not use a constant value",
    'FROM --platform flag should not use constant value "{platform}"',
    "use `$BUILDPLATFORM`, remove the flag, or have the platform in the stage's name",
    "from-platform-flag-const-disallowed",
)
COPY_IGNORED_FILE = Rule(
    "CopyIgnoredFile",
    "Attempting to Copy file that is excluded by .dockerignore",
    'Attempting to {instruction} file "{path}" that is excluded by .dockerignore',
    "remove it from the ignore file, or do not copy it",
    "copy-ignored-file",
)
INVALID_DEFINITION_DESCRIPTION = Rule(
    "InvalidDefinitionDescription",
    "Comment for build stage or argument should follow the format: `# <arg/stage name> <description>`. If this is not"
    " intended to be a description comment, add an empty line or comment between the instruction and the comment.",
    "Comment for {instruction} should follow the format: `# {name} <description>`",
    "begin the comment with the name, or put an empty line below it",
    "invalid-definition-description",
    experimental=True,
)
EXPOSE_PROTO_CASING = Rule(
    "ExposeProtoCasing",
    "Protocol in EXPOSE instruction should be lowercase",
    "Defined protocol '{port}' in EXPOSE instruction should be lowercase",
    "write the protocol in lower case",
    "expose-proto-casing",
)
EXPOSE_INVALID_FORMAT = Rule(
    "ExposeInvalidFormat",
    "IP address and host-port mapping should not be used in EXPOSE instruction. This will become an error in a future"
    " release",
    "EXPOSE instruction should not define an IP address or host-port mapping, found '{port}'",
    "write the container's port only; `ports` of a service publishes it",
    "expose-invalid-format",
)

RULES: dict[str, Rule] = {rule.name: rule for rule in list(globals().values()) if isinstance(rule, Rule)}
"""All of them by name, in BuildKit's order."""
