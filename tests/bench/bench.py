"""Measures composer beside Docker with Compose v2, and Podman for images, in turn, and prints a table.

    python -m tests.bench.bench DIR [--runs 7] [--sizes 1,10,50] [--only up1,network] [--where disk,memory]
                                    [--compose PATH] [--json FILE]

DIR is where `setup.sh` keeps the peers: some 2 GB, made on the first run. Needs root. Their commands run, and their time
is taken, inside their box; composer's on the host, with an engine of its own. `--where memory` has everybody's data on a tmpfs.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from tests.bench import engine_part
from tests.bench.figures import Figure, scenarios
from tests.bench.peers import BenchError, Composer, Docker, Peer, Podman
from tests.bench.report import Samples, as_json, table

ENGINE = "engine"
_IN_MEMORY = ", in memory"


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code: 1 when a scenario could not be measured."""
    options = _options(arguments)
    if os.geteuid() != 0:
        sys.stderr.write("the benchmark needs root: the peer lives in namespaces of its own\n")
        return 2
    directory = Path(options.directory).absolute()
    samples: Samples = {}
    failed = [_measure(directory, options, samples, memory=where == "memory") for where in options.where.split(",")]
    sys.stdout.write(table(samples))
    if options.json:
        Path(options.json).write_text(as_json(samples))
    return int(any(failed))


def _measure(directory: Path, options: argparse.Namespace, samples: Samples, *, memory: bool) -> bool:
    """Take everybody's figures with their data on the one kind of file system; whether a scenario could not be measured."""
    failed = False
    chosen = [
        scenario
        for scenario in scenarios([int(size) for size in options.sizes.split(",")])
        if not options.only or scenario.name in options.only.split(",")
    ]
    with ExitStack() as stack:
        docker = Docker(directory, memory=memory)
        stack.callback(docker.close)
        podman = Podman(directory, memory=memory)
        stack.callback(podman.close)
        composer = Composer(directory, options.compose, memory=memory)
        stack.callback(composer.close)
        for scenario in chosen:
            peers: list[Peer] = [docker, *([podman] if scenario.beside_podman else []), composer]
            for number in range(max(2, round(options.runs * scenario.rounds))):
                try:
                    for peer in _turn(peers, number):
                        _add(samples, peer.name, scenario.measure(peer), memory=memory)
                except BenchError as error:
                    failed = True
                    sys.stderr.write(f"{scenario.name}: {error}\n")
                    break
            sys.stderr.write(f"{scenario.name}{_IN_MEMORY if memory else ''} done\n")
        if not options.only or ENGINE in options.only.split(","):
            for _ in range(options.runs * 2):
                _add(samples, composer.name, engine_part.measure(composer), memory=memory)
    return failed


def _turn(peers: Sequence[Peer], number: int) -> Sequence[Peer]:
    """Who goes first changes: nobody always finds the caches warm."""
    first = number % len(peers)
    return [*peers[first:], *peers[:first]]


def _add(samples: Samples, side: str, figures: Mapping[Figure, float], *, memory: bool) -> None:
    for figure, value in figures.items():
        row = replace(figure, name=f"{figure.name}{_IN_MEMORY}") if memory else figure
        samples.setdefault(row, {}).setdefault(side, []).append(value)


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
    parser.add_argument(
        "--where", default="disk", help="where the data of all is: disk, memory, or both after each other"
    )
    parser.add_argument("--compose", default=str(beside) if beside.exists() else shutil.which("compose") or "compose")
    parser.add_argument("--json", default="", help="write every value to this file")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
