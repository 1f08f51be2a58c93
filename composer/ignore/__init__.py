"""Which paths do not count: the patterns of `.dockerignore` and of `.gitignore`, as their programs read them.

* `docker`  `DockerPatterns`: `.dockerignore`, and `ignore`, `include` of `develop.watch`
* `git`     `GitIgnores`: every `.gitignore` of a work tree, read when a path first asks for it

Paths are relative, with `/`, as `str` (bytes that are no UTF-8 as surrogates). This room knows neither builds nor watches:
both ask it, so that a file which is not in the context is not watched for either.
"""

from composer.ignore.docker import DockerPatterns
from composer.ignore.git import GitIgnores

__all__ = ["DockerPatterns", "GitIgnores"]
