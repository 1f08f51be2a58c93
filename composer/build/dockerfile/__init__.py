"""The Dockerfile language: text in, instructions out; nothing here reads a file or asks anybody.

* `parse.parse`              text → `Dockerfile`, or a `BuildError` with every problem of the file
* `instructions`             the types: one frozen class per instruction, `Stage`, `Dockerfile`
* `expand`                   `$name`, `${name:-word}` and all other forms, quotes and escapes
* `scope`                    what ARGs are worth where: global, per stage, predefined
* `stages`                   a stage by name or number; those that a target needs
* `references.references`    the images, URLs and git repositories a build will ask for
* `lint.check`               BuildKit's lint rules

A file goes through `source` (lines and places), `directives` (`# syntax=`, `# escape=`, `# check=`), `statements`
(continuations, comments, heredocs), `words` and `flags` (how each instruction's arguments are split) and `read`
(one statement → one instruction). Texts are as hostile as files can be: sizes are bounded, nothing recurses without limit.

Where the reference is silent, BuildKit decides: <https://github.com/moby/buildkit/tree/master/frontend/dockerfile>.
"""
