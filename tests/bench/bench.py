"""Measures composer beside Docker with Compose v2, pair by pair, and prints a table.

    python -m tests.bench.bench DIR [--runs 7] [--sizes 1,10,50] [--only up1,network] [--compose PATH] [--json FILE]

DIR is where `setup.sh` keeps the peer: some 2 GB, made on the first run. Needs root. Docker's commands run, and their time
is taken, inside its box; composer's on the host, with an engine of its own.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from tests.bench import engine_part
from tests.bench.figures import Figure, scenarios
from tests.bench.peers import BenchError, Composer, Docker, Peer
from tests.bench.report import Samples, as_json, table

ENGINE = "engine"


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code: 1 when a scenario could not be measured."""
    options = _options(arguments)
    if os.geteuid() != 0:
        sys.stderr.write("the benchmark needs root: the peer lives in namespaces of its own\n")
        return 2
    directory = Path(options.directory).absolute()
    failed = False
    with ExitStack() as stack:
        docker = Docker(directory)
        stack.callback(docker.close)
        composer = Composer(directory, options.compose)
        stack.callback(composer.close)
        samples: Samples = {}
        for scenario in scenarios([int(size) for size in options.sizes.split(",")]):
            if options.only and scenario.name not in options.only.split(","):
                continue
            for number in range(max(2, round(options.runs * scenario.rounds))):
                try:
                    for peer in _turn(docker, composer, number):
                        _add(samples, peer.name, scenario.measure(peer))
                except BenchError as error:
                    failed = True
                    sys.stderr.write(f"{scenario.name}: {error}\n")
                    break
            sys.stderr.write(f"{scenario.name} done\n")
        if not options.only or ENGINE in options.only.split(","):
            for _ in range(options.runs * 2):
                _add(samples, composer.name, engine_part.measure(composer))
    sys.stdout.write(table(samples))
    if options.json:
        Path(options.json).write_text(as_json(samples))
    return int(failed)


def _turn(docker: Docker, composer: Composer, number: int) -> tuple[Peer, Peer]:
    """Who goes first changes: nobody always finds the caches warm."""
    return (composer, docker) if number % 2 else (docker, composer)


def _add(samples: Samples, side: str, figures: Mapping[Figure, float]) -> None:
    for figure, value in figures.items():
        samples.setdefault(figure, {}).setdefault(side, []).append(value)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    beside = Path(sys.executable).with_name("compose")
    parser = argparse.ArgumentParser(description="composer beside Docker with Compose v2")
    parser.add_argument("directory", help="where the peer is, or is to be made")
    parser.add_argument("--runs", type=int, default=7, help="rounds of each pair")
    parser.add_argument("--sizes", default="1,10,50", help="numbers of services")
    parser.add_argument(
        "--only",
        default="",
        help=f"cli, run, upN, memory, network, chain, registry, build, watch, watchfiles, {ENGINE}",
    )
    parser.add_argument("--compose", default=str(beside) if beside.exists() else shutil.which("compose") or "compose")
    parser.add_argument("--json", default="", help="write every value to this file")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
