"""Dockerfiles and contexts that cover every instruction and flag, and what BuildKit makes of them.

* `case`        a project with one service to build, and how it is written to disk
* `cases_*`     the corpus, by subject; `cases.CASES` is all of it
* `picture`     an image as data: its tree (what differs from the base), what each layer changes, config and history
* `peers`       who builds: composer, Docker with BuildKit
* `record`      builds all with BuildKit and writes golden/NAME.json: the tests compare with those, and need no Docker

What a case is named says what it shows. A case whose result differs from BuildKit's on purpose says why in `differs`.
"""
