"""How the processes of composer are started: with this interpreter, isolated, and with this copy of the package.

`-I` keeps the user's environment and working directory out of `sys.path`. The directory that the package lies in comes after
the standard library, so that nothing beside it is taken for a module of that, and before installed packages, so that all
processes are of one copy. `-S` saves looking for installed packages: for processes that need none.

What the keeper starts it forks, as long as the installed files are those that it has imported itself: the interpreter and what
all of them use are then in memory once.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import traceback
from collections.abc import Iterable
from typing import NoReturn

import composer
from composer.kernel import process

_PROGRAM = (
    "import runpy, sys; "
    "packages = [n for n, path in enumerate(sys.path) if path.endswith('-packages')]; "
    "sys.path.insert(packages[0] if packages else len(sys.path), sys.argv.pop(1)); "
    "runpy.run_module(sys.argv.pop(1), run_name='__main__', alter_sys=False)"
)


def command(module: str, *arguments: str, packages: bool = False) -> list[str]:
    """The command that runs `module` as a program; with `packages` it may import what is installed."""
    flags = ["-I"] if packages else ["-I", "-S"]
    return [sys.executable, *flags, "-c", _PROGRAM, _root(), module, *arguments]


def become(module: str, *arguments: str, keep: Iterable[int] = (), packages: bool = False) -> NoReturn:
    """Be `module` as a program: in a process that was forked for it, with no descriptors but `keep` and the standard ones."""
    process.close_all_but({0, 1, 2, *keep})
    # As the interpreter has them when it starts.
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    process.rename(f"composer-{module.rpartition('.')[2]}", (sys.executable, "-m", module, *arguments))
    sys.argv[:] = [module, *arguments]
    code: object = 0
    try:
        if packages:
            _find_packages()
        runpy.run_module(module, run_name="__main__", alter_sys=False)
    except SystemExit as ending:
        code = ending.code
    except BaseException:
        traceback.print_exc()
        code = 1
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        # Not by way of the interpreter's own end: what it would put away is the keeper's.
        os._exit(code if isinstance(code, int) else int(code is not None))


def _find_packages() -> None:
    """Let installed packages be imported, after this copy of composer: what `-S` leaves out."""
    import site

    sys.path.remove(_root())
    site.main()
    packages = [place for place, path in enumerate(sys.path) if path.endswith("-packages")]
    sys.path.insert(packages[0] if packages else len(sys.path), _root())


def _root() -> str:
    """The directory that this copy of the package lies in."""
    return composer.__file__.rpartition("/composer/")[0]
