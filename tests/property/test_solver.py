"""Any graph of stages: what the target needs is run once, is found the next time, and a death changes nothing of the result."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from composer.build.builder import Builder
from composer.build.cache import Cache
from composer.build.options import BuildOptions
from composer.clock import SystemClock
from composer.image.image import Image
from composer.image.store import Store
from composer.paths import Paths
from composer.registry.pull import Puller
from tests.fakes.worker import FakeWorker, ForgetfulWorker, Stopped, seen


@dataclass(frozen=True)
class Stage:
    """A stage of the file: the one it builds on, its commands, and the stages it copies all of."""

    base: int
    commands: tuple[str, ...]
    copies: tuple[int, ...]


_commands = st.sampled_from(["a", "b", "c", "nothing", "nothing else"])


@st.composite
def files(draw: st.DrawFn) -> list[Stage]:
    """Stages, each on earlier ones only."""
    stages: list[Stage] = []
    for index in range(draw(st.integers(1, 5))):
        earlier = st.integers(0, index - 1)
        stages.append(
            Stage(
                draw(earlier) if index and draw(st.booleans()) else -1,
                tuple(draw(st.lists(_commands, min_size=1, max_size=4))),
                tuple(draw(st.lists(earlier, max_size=2, unique=True))) if index else (),
            )
        )
    return stages


def dockerfile(stages: Sequence[Stage]) -> str:
    """The file; each stage's own commands differ from those of others by a variable."""
    lines = []
    for index, stage in enumerate(stages):
        lines.append(f"FROM {f's{stage.base}' if stage.base >= 0 else 'scratch'} AS s{index}")
        lines += [f"COPY --from=s{other} / /from{other}/" for other in stage.copies]
        lines += [f'RUN ["{command}"]' for command in stage.commands]
    return "\n".join(lines) + "\n"


def build(
    directory: Path,
    text: str,
    worker: FakeWorker,
    times: int = 1,
    *,
    no_cache: bool = False,
    fresh: tuple[str, ...] = (),
) -> list[Image]:
    """Build with an engine of its own on `directory`, `times` at once."""
    (directory / "context").mkdir(exist_ok=True)

    async def whole() -> list[Image]:
        paths = Paths(directory / "data", directory / "run")
        store, clock = Store(paths), SystemClock()
        builder = Builder(paths, store, Puller(store, clock), worker, clock)
        builder.sweep()
        options = BuildOptions(
            str(directory / "context"), dockerfile_text=text, no_cache=no_cache, no_cache_filter=fresh
        )
        try:
            return await asyncio.gather(*(builder.build(options, lambda event: None) for _ in range(times)))
        finally:
            await builder.close()

    return asyncio.run(whole())


def tree(image: Image) -> dict[str, str]:
    """The image's files."""
    return {
        str(path.relative_to(layer)): path.read_text()
        for layer in reversed(image.layers)
        for path in sorted(layer.rglob("*"))
        if path.is_file()
    }


def made(directory: Path) -> Path:
    directory.mkdir()
    return directory


def leftovers(directory: Path) -> list[str]:
    steps = directory / "data/build/steps"
    return [path.name for path in steps.iterdir()] if steps.is_dir() else []


@settings(max_examples=15, deadline=None)
@given(files())
def test_everything_is_run_once_however_many_want_it_and_never_again(stages: list[Stage]) -> None:
    with tempfile.TemporaryDirectory() as name:
        directory, text = Path(name), dockerfile(stages)
        worker = FakeWorker()

        images = build(directory, text, worker, times=3)
        again = FakeWorker()
        later = build(directory, text, again)

        assert len({image.id for image in [*images, *later]}) == 1
        assert again.ran.total() == 0
        assert leftovers(directory) == []
        alone = FakeWorker()
        build(made(directory / "alone"), text, alone)
        assert worker.ran == alone.ran


@settings(max_examples=15, deadline=None)
@given(files(), st.integers(0, 8))
def test_after_a_death_at_any_step_the_rest_is_run_and_the_result_is_the_same(stages: list[Stage], alive: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        directory, text = Path(name), dockerfile(stages)
        dying, living, whole = FakeWorker(stop_after=alive), FakeWorker(), FakeWorker()

        with suppress(Stopped):
            build(directory, text, dying)
        (image,) = build(directory, text, living)

        (expected,) = build(made(directory / "whole"), text, whole)
        assert tree(image) == tree(expected)
        assert leftovers(directory) == []
        assert dying.ran + living.ran == whole.ran


@settings(max_examples=15, deadline=None)
@given(files(), files(), st.booleans())
def test_what_was_built_before_never_shows_in_the_result(before: list[Stage], after: list[Stage], fresh: bool) -> None:
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)

        build(directory, dockerfile(before), FakeWorker())
        (image,) = build(directory, dockerfile(after), FakeWorker(), no_cache=fresh)

        (expected,) = build(made(directory / "alone"), dockerfile(after), FakeWorker())
        assert tree(image) == tree(expected)
        assert image.config.history[-1].created_by == expected.config.history[-1].created_by


def test_a_layer_that_turns_out_to_be_there_already_is_not_left_lying(tmp_path: Path) -> None:
    made(tmp_path / "context").joinpath("a").write_text("a")

    first, second = (build(tmp_path, "FROM scratch\nCOPY a /\n", FakeWorker(), no_cache=True)[0] for _ in range(2))

    assert first.layers == second.layers
    assert leftovers(tmp_path) == []


_turns = st.lists(
    st.tuples(st.sampled_from([(), ("s0",), ("s1",), ("s2",)]), st.sets(st.integers(0, 12), max_size=6)),
    min_size=1,
    max_size=3,
)


@settings(max_examples=15, deadline=None)
@given(files(), _turns)
def test_every_layer_was_made_on_those_below_it_whatever_was_run_again_or_lost(
    stages: list[Stage], turns: list[tuple[tuple[str, ...], set[int]]]
) -> None:
    with tempfile.TemporaryDirectory() as name:
        directory, text = Path(name), dockerfile(stages)
        build(directory, text, ForgetfulWorker())
        for fresh, lost in turns:
            cache = Cache(directory / "data/build/cache.db")
            cache.remove([record.key for number, record in enumerate(cache.all()) if number in lost])
            cache.close()

            (image,) = build(directory, text, ForgetfulWorker(), fresh=fresh)

            assert all(layer.is_dir() for layer in image.layers)
            for number, layer in enumerate(image.layers):
                for path in layer.glob("seen by *"):
                    assert path.read_text() == seen(image.layers[number + 1 :])
