"""Builds the corpus with BuildKit and writes what comes out to golden/, for the tests to compare with.

    python -m tests.build_corpus.record DIR [NAME...]

DIR is where `tests/bench/setup.sh` keeps Docker. Needs root. The results of the other
cases are composer's own: COMPOSER_RECORD=1 makes `tests/e2e/test_build_corpus.py` write them.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.build_corpus.cases import CASES
from tests.build_corpus.golden import record
from tests.build_corpus.peers import buildkit


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code: 1 when a case did not fail or succeed as the corpus says."""
    parser = argparse.ArgumentParser(prog="python -m tests.build_corpus.record", description="records golden results")
    parser.add_argument("directory", type=Path, help="where the peer is, or is to be made")
    parser.add_argument("names", nargs="*", help="cases; without any, all")
    options = parser.parse_args(arguments)
    chosen = [case for case in CASES if not case.own and (not options.names or case.name in options.names)]
    with buildkit(options.directory.absolute()) as docker, ThreadPoolExecutor(2) as pool:
        results = dict(zip((case.name for case in chosen), pool.map(docker.build, chosen), strict=True))
    record(results)
    surprises = [case for case in chosen if ("fails" in results[case.name]) != bool(case.fails)]
    sys.stdout.write("".join(f"{case.name}: {json.dumps(results[case.name])[:300]}\n" for case in surprises))
    return int(bool(surprises))


if __name__ == "__main__":
    sys.exit(main())
