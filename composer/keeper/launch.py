"""How the processes of composer are started: with this interpreter, isolated, and with this copy of the package.

`-I` keeps the user's environment and working directory out of `sys.path`. The directory that the package lies in comes after
the standard library, so that nothing beside it is taken for a module of that, and before installed packages, so that all
processes are of one copy. `-S` saves looking for installed packages: for processes that need none.
"""

from __future__ import annotations

import sys

import composer

_PROGRAM = (
    "import runpy, sys; "
    "packages = [n for n, path in enumerate(sys.path) if path.endswith('-packages')]; "
    "sys.path.insert(packages[0] if packages else len(sys.path), sys.argv.pop(1)); "
    "runpy.run_module(sys.argv.pop(1), run_name='__main__', alter_sys=False)"
)


def command(module: str, *arguments: str, packages: bool = False) -> list[str]:
    """The command that runs `module` as a program; with `packages` it may import what is installed."""
    root = composer.__file__.rpartition("/composer/")[0]
    flags = ["-I"] if packages else ["-I", "-S"]
    return [sys.executable, *flags, "-c", _PROGRAM, root, module, *arguments]
