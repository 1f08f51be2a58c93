"""Whatever stands in a Dockerfile: it is read or every problem is told, in bounded time."""

import time
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from composer.build.dockerfile.expand import ExpansionError, expand
from composer.build.dockerfile.instructions import Dockerfile
from composer.build.dockerfile.lint.check import check, unknown_rules
from composer.build.dockerfile.mount import MountError, read_mount
from composer.build.dockerfile.parse import parse
from composer.build.dockerfile.patterns import replaced, without_prefix, without_suffix
from composer.build.dockerfile.ports import read_ports
from composer.build.dockerfile.references import references, remote_sources
from composer.build.dockerfile.stages import link
from composer.errors import BuildError, Diagnostic
from composer.ignore import DockerPatterns
from composer.oci.descriptor import Platform

HERE = Platform("amd64", "linux")
CORPUS = [path.read_text() for path in sorted(Path("tests/spec/dockerfiles").glob("*.Dockerfile"))]

_WORDS = [
    *(
        "FROM a",
        "FROM $X AS x",
        "from x",
        "FROM --platform=$TARGETPLATFORM ${Y:-b} as Y",
        "ARG X=1",
        "ARG Y",
        "ARG Z=$X$NONE",
    ),
    *("COPY --from=x a b", "COPY --from=0 a b", "COPY --from=img a b", "COPY <<E /x\n$A\nE", "ADD https://x/$X /y"),
    *(
        "ADD --checksum=$X git@h:r.git /z",
        "ENV A=$A$A$A B='${X}'",
        "ENV a b",
        "RUN --mount=from=x,target=/y z",
        "RUN a \\",
    ),
    *(
        "RUN --mount=type=secret,id=$X true",
        "RUN <<E\nx\nE",
        "RUN <<'E' cat",
        "ONBUILD COPY --from=x a b",
        "ONBUILD RUN a",
    ),
    *(
        "ONBUILD ONBUILD RUN a",
        "EXPOSE $X 80/Tcp 1:2:3",
        "WORKDIR a/$A",
        'CMD ["a", "b"]',
        "CMD a",
        "ENTRYPOINT a",
        "VOLUME []",
    ),
    *(
        "HEALTHCHECK --interval=$X CMD a",
        "HEALTHCHECK --retries=-1 NONE x",
        "SHELL a",
        'SHELL ["a"]',
        "USER $X",
        "STOPSIGNAL",
    ),
    *(
        "LABEL a=${A:?x} b",
        "MAINTAINER x",
        "# check=skip=all",
        "# escape=`",
        "# syntax=a/b",
        "# x",
        "\\",
        "",
        "NOPE",
        "\ufeff",
    ),
]
_TEXTS = st.one_of(
    st.lists(st.one_of(st.sampled_from(_WORDS), st.text(max_size=20)), max_size=12).map("\n".join),
    st.text(max_size=300),
    st.tuples(st.sampled_from(CORPUS), st.integers(0, 3000), st.integers(0, 40), st.text(max_size=5)).map(
        lambda cut: cut[0][: cut[1]] + cut[3] + cut[0][cut[1] + cut[2] :]
    ),
)


def _place_is_in(text: str, problem: Diagnostic) -> None:
    place = problem.location
    assert place is None or (
        place.column >= 1 and place.length >= 1 and 1 <= place.line <= max(text.count("\n") + 1, 1)
    )


@settings(max_examples=300, deadline=None)
@given(_TEXTS)
@example("FROM a\nRUN <<")
@example("FROM a\nENV A=${A:-${B:-}}\n")
def test_a_text_is_read_or_its_problems_are_told(text: str) -> None:
    try:
        dockerfile = parse(text)
    except BuildError as error:
        for problem in error.diagnostics:
            _place_is_in(text, problem)
        return
    spans = [each.span for stage in dockerfile.stages for each in (stage.base, *stage.instructions)]
    assert all(span.first <= span.last for span in spans)
    assert all(left.last < right.first for left, right in pairwise(spans))
    _use(dockerfile, text)


def _use(dockerfile: Dockerfile, text: str) -> None:
    try:
        stages = link(dockerfile, args={"X": "x"}, build=HERE, platform=HERE)
        references(stages)
        remote_sources(stages, {"X": "x"})
    except BuildError as error:
        for problem in error.diagnostics:
            _place_is_in(text, problem)
    try:
        report = check(dockerfile, build=HERE, platform=HERE, ignored=DockerPatterns(["a*"]))
        unknown_rules(dockerfile)
    except BuildError:
        return
    for problem in (*report.problems, *(warning.diagnostic() for warning in report.warnings)):
        _place_is_in(text, problem)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200), st.sampled_from([b"", b"FROM a\n", b"\xef\xbb\xbfFROM a\n", b"FROM a\nRUN "]))
def test_bytes_that_are_no_text_are_told(data: bytes, before: bytes) -> None:
    try:
        dockerfile = parse(before + data)
    except BuildError:
        return
    for stage in dockerfile.stages:
        for instruction in (stage.base, *stage.instructions):
            instruction.text.encode()  # no surrogates


@settings(max_examples=500, deadline=None)
@given(
    st.text(alphabet="${}:-+?#%/\\'\"`AB *é\n", max_size=40),
    st.dictionaries(st.sampled_from("AB"), st.text(max_size=8)),
)
def test_a_word_expands_or_says_why_not(word: str, env: dict[str, str]) -> None:
    for raw, quotes in ((False, True), (True, True), (False, False)):
        try:
            expanded = expand(word, env, quotes=quotes, raw_quotes=raw, raw_escapes=raw, keep_undefined=raw)
        except ExpansionError:
            continue
        assert expanded.used <= set(env)
        assert not expanded.undefined & set(env)


@given(st.text(alphabet="ab*?\n", max_size=8), st.text(alphabet="ab\n", max_size=12))
def test_shortest_and_longest_are_what_they_say(pattern: str, value: str) -> None:
    for cut in (without_prefix, without_suffix):
        short, long = (cut(value, pattern, longest=longest) for longest in (False, True))
        assert len(long) <= len(short) <= len(value)
    assert without_prefix(value, pattern, longest=True)[::-1] == without_suffix(
        value[::-1], pattern[::-1], longest=True
    )
    assert replaced(value, pattern, "", every=True) == "" or len(replaced(value, pattern, "", every=True)) <= len(value)


@given(st.text(alphabet=":/-0123456789.[]tcpu", max_size=24))
def test_ports_are_read_or_refused(word: str) -> None:
    try:
        ports = read_ports(word)
    except ValueError:
        return
    assert 0 <= ports.first <= ports.last <= 65535


@given(st.text(alphabet=",=\"typesourcdaginx0123$ '", max_size=40))
def test_mounts_are_read_or_refused(text: str) -> None:
    try:
        read_mount(text)
    except MountError:
        return


@pytest.mark.parametrize(
    "text",
    [
        "FROM a\n" + "RUN true \\\n" * 50_000,
        "FROM a\n" + "RUN true\n" * 20_000,
        "FROM a\nRUN " + "<<E " * 5_000 + "\n" + "E\n" * 5_000,
        "FROM a\nRUN " + "[" * 100_000,
        "FROM a\nRUN " + '"' * 100_001 + "<<E",
        "FROM a\nENV " + "a=b " * 50_000,
        "FROM a\nCOPY " + "--exclude=x " * 20_000 + "a b\n",
        "FROM a\n" + "ONBUILD " * 20_000 + "RUN x\n",
        "FROM a AS s0\n" + "".join(f"FROM s{n} AS s{n + 1}\nCOPY --from=s{n} a b\n" for n in range(1_000)),
        "FROM a\n" + "ENV A=$A$A\n" * 200,
        "x" * 5_000_000,
        "NOPE\n" * 100_000,
    ],
    ids=range(12),
)
def test_no_file_takes_long(text: str) -> None:
    started = time.process_time()
    with suppress(BuildError):
        _use(parse(text), text)
    assert time.process_time() - started < 20
