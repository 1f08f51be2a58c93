"""docs/dockerfile.md: what of the Dockerfile language is supported, and BuildKit's rules.

python -m tests.make.dockerfile
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from composer.build.dockerfile.lint.rules import RULES, Rule
from composer.build.dockerfile.read import FLAGS, INSTRUCTIONS

PAGE = Path(__file__).parents[2] / "docs/dockerfile.md"

_HEAD = """\
# Dockerfiles

The whole language of BuildKit's syntax 1.x is built in, the parts it calls labs included; `# syntax=` fetches nothing, and a
frontend that is not Docker's own gets a warning. Files are read as BuildKit reads them, to the last oddity: Docker's parser
is compared with ours on every test run. Generated from the tables it is read by.

| instruction | flags |
|---|---|"""

_MIDDLE = """
* **Directives**: `syntax`, `escape`, `check`.
* **Heredocs** in RUN, COPY and ADD, also below ONBUILD: several on a line, quoted, `<<-`.
* **Variables**: `$v` `${v}`, and behind the name `:-` `-` `:+` `+` `:?` `?` `#` `##` `%` `%%` `/` `//`, nested. FROM sees
  the ARGs above it and the platform's (`TARGETPLATFORM`, `BUILDARCH`, …), a stage those it declares. Proxy arguments need no ARG.
* **Stages** by name, whatever the case, and `COPY --from` also by number; only what the target needs is built.
* **Errors** tell every problem of a file at once, each with its line, and the nearest word that would be right. Where BuildKit is
  silent we are not: flags of ARG and STOPSIGNAL are refused, what stands behind ONBUILD is read at once, and a
  heredoc without content is no empty file.
* **Bounds**: a file of 4 MiB, 100 problems, 40 nested substitutions, 1 MiB out of one word.

## Rules

`compose build --check` reports BuildKit's rules. `# check=skip=NAME,NAME;error=true` at the top of a file, or the build argument
`BUILDKIT_DOCKERFILE_CHECK`, chooses among them; `# check=skip=NAME` right above an instruction counts for it alone. Nothing is
pulled for a check: what depends on a base image is found once the image is there.

| rule | finds | what to do |
|---|---|---|"""


def page() -> Iterator[str]:
    """The page's lines."""
    yield from _HEAD.splitlines()
    for name in INSTRUCTIONS:
        flags = " ".join(f"`--{flag}`" for flag in FLAGS.get(name, {}))
        yield f"| {name} | {flags} |"
    yield from _MIDDLE.splitlines()
    for rule in RULES.values():
        yield f"| {_name(rule)} | {rule.description} | {rule.hint} |"


def _name(rule: Rule) -> str:
    name = f"[{rule.name}]({rule.url})" if rule.url else rule.name
    return f"{name} (only with `experimental=`)" if rule.experimental else name


if __name__ == "__main__":
    PAGE.write_text("\n".join(page()) + "\n")
