import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from composer.keeper.logfile import LogFile
from composer.keeper.logs import LogLine, Record, Stream, follow, read

OUT, ERR = Stream.STDOUT, Stream.STDERR


class Writer:
    """A log written piece by piece, each piece a second after the one before."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.time = 0
        directory.mkdir(exist_ok=True, parents=True)
        for name in ("output", "index"):
            (directory / name).touch()

    def write(self, data: bytes, stream: Stream = OUT) -> None:
        self.time += 1
        with (self.directory / "output").open("ab") as output, (self.directory / "index").open("ab") as index:
            record = Record(output.tell(), self.time * 10**9, len(data), stream)
            output.write(data)
            index.write(record.to_bytes())

    def gap(self, lost: int) -> None:
        self.time += 1
        offset = (self.directory / "output").stat().st_size
        with (self.directory / "index").open("ab") as index:
            index.write(Record(offset, self.time * 10**9, lost, Stream.GAP).to_bytes())


@pytest.fixture
def log(tmp_path: Path) -> Writer:
    return Writer(tmp_path / "log")


def texts(lines: list[LogLine]) -> list[bytes]:
    return [line.text for line in lines]


def test_a_log_that_is_not_there_has_no_lines(tmp_path: Path) -> None:
    assert list(read(tmp_path)) == []
    assert list(read(tmp_path, since=1.0)) == []
    assert list(read(tmp_path, tail=3)) == []


def test_interleaved_halves_of_lines_are_put_together_by_stream(log: Writer) -> None:
    log.write(b"out ")
    log.write(b"err ", ERR)
    log.write(b"one\nout two\n")
    log.write(b"one\n", ERR)
    log.write(b"rest")

    assert list(read(log.directory)) == [
        LogLine(1.0, "stdout", b"out one"),
        LogLine(3.0, "stdout", b"out two"),
        LogLine(2.0, "stderr", b"err one"),
        LogLine(5.0, "stdout", b"rest"),
    ]


def test_the_tail_counts_lines_whole(log: Writer) -> None:
    log.write(b"begun long ago ", ERR)
    for number in range(100):
        log.write(b"line %d\n" % number)
    log.write(b"and ended now\n", ERR)

    assert texts(list(read(log.directory, tail=2))) == [b"line 99", b"begun long ago and ended now"]
    assert texts(list(read(log.directory, tail=0))) == []
    assert len(list(read(log.directory, tail=1000))) == 101


def test_since_leaves_out_lines_begun_before(log: Writer) -> None:
    log.write(b"old\nbegun before ")
    log.write(b"and ended after\nnew\n")
    log.write(b"newer\n")

    assert texts(list(read(log.directory, since=2.0))) == [b"new", b"newer"]
    assert texts(list(read(log.directory, since=2.0, tail=1))) == [b"newer"]


def test_a_gap_is_a_line_of_its_own_and_ends_what_was_begun(log: Writer) -> None:
    log.write(b"a\nhalf")
    log.gap(1234)
    log.write(b"b\n")

    lines = list(read(log.directory))

    assert [(line.stream, line.text) for line in lines] == [
        ("stdout", b"a"),
        ("stdout", b"half"),
        ("gap", b"1234 bytes of output were lost: the disk was full"),
        ("stdout", b"b"),
    ]


def test_a_follower_hands_out_each_line_once_as_it_is_completed(log: Writer) -> None:
    log.write(b"one\ntw")
    follower, lines = follow(log.directory)
    assert texts(list(lines)) == [b"one"]

    log.write(b"o\n")
    assert texts(list(follower.poll())) == [b"two"]
    assert texts(list(follower.poll())) == []
    log.write(b"three")
    assert texts(list(follower.poll())) == []
    assert texts(list(follower.finish())) == [b"three"]
    follower.close()


def test_a_follower_of_a_tail_keeps_the_half_line(log: Writer) -> None:
    for number in range(50):
        log.write(b"line %d\n" % number)
    log.write(b"ha")
    follower, lines = follow(log.directory, tail=1)
    assert texts(list(lines)) == [b"line 49"]

    log.write(b"lf\n")

    assert texts(list(follower.poll())) == [b"half"]
    follower.close()


def test_half_a_record_is_not_there_yet(log: Writer) -> None:
    log.write(b"one\n")
    with (log.directory / "index").open("ab") as index:
        index.write(b"\0" * 10)

    assert texts(list(read(log.directory))) == [b"one"]


def test_a_follower_may_come_before_the_log(tmp_path: Path) -> None:
    follower, lines = follow(tmp_path / "log")
    assert list(lines) == []

    Writer(tmp_path / "log").write(b"one\n")

    assert texts(list(follower.poll())) == [b"one"]
    follower.close()


def test_a_new_writer_indexes_what_the_last_one_could_not(log: Writer) -> None:
    log.write(b"indexed\n")
    with (log.directory / "output").open("ab") as output:
        output.write(b"moved, not indexed\n")
    with (log.directory / "index").open("ab") as index:
        index.write(b"\x01" * 7)

    LogFile(log.directory).close()

    assert texts(list(read(log.directory))) == [b"indexed", b"moved, not indexed"]


def test_pieces_are_moved_from_a_pipe_and_nothing_is_left_in_it(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    log = LogFile(tmp_path)
    for stream, text in ((OUT, b"one\n"), (ERR, b"two\n"), (OUT, b"three")):
        os.write(writing, text)
        assert log.move(reading, stream) == len(text)
    with pytest.raises(BlockingIOError):
        log.move(reading, OUT)
    log.close()
    os.close(reading)
    os.close(writing)

    assert [(line.stream, line.text) for line in read(tmp_path)] == [
        ("stdout", b"one"),
        ("stderr", b"two"),
        ("stdout", b"three"),
    ]


PIECES = st.lists(st.tuples(st.sampled_from([OUT, ERR]), st.text("ab\n", min_size=1, max_size=8)), max_size=30)


@given(PIECES, st.integers(0, 12))
def test_the_tail_is_the_end_of_the_whole(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[tuple[Stream, str]], tail: int
) -> None:
    log = Writer(tmp_path_factory.mktemp("log"))
    pieces = [*pieces, (OUT, "\n"), (ERR, "\n")]
    for stream, text in pieces:
        log.write(text.encode(), stream)
    whole = list(read(log.directory))

    assert list(read(log.directory, tail=tail)) == whole[len(whole) - min(tail, len(whole)) :]
    for stream in (OUT, ERR):
        written = "".join(text for of, text in pieces if of is stream).encode()
        assert b"\n".join(line.text for line in whole if line.stream == stream.name.lower()) == written.removesuffix(
            b"\n"
        )
    for since in (3.0, 7.5):
        assert sorted(read(log.directory, since=since), key=repr) == sorted(
            (line for line in whole if line.time >= since), key=repr
        )


def write_through(log: LogFile, data: bytes) -> None:
    reading, writing = os.pipe()
    os.write(writing, data)
    log.move(reading, OUT)
    os.close(reading)
    os.close(writing)


def test_a_log_with_a_limit_keeps_its_last_lines_and_gives_the_space_back(tmp_path: Path) -> None:
    (tmp_path / "limit").write_text("200000")
    log = LogFile(tmp_path)
    follower, _ = follow(tmp_path)
    for number in range(1000):
        write_through(log, b"%06d %s\n" % (number, b"x" * 1000))
    log.close()

    kept = texts(list(read(tmp_path)))
    assert 190 < len(kept) < 300
    assert kept[-1].startswith(b"000999")
    assert [int(line[:6]) for line in kept] == list(range(1000 - len(kept), 1000))
    assert texts(list(read(tmp_path, tail=3))) == kept[-3:]
    assert texts(list(read(tmp_path, since=1.0))) == kept
    assert (tmp_path / "output").stat().st_blocks * 512 < 500_000
    assert texts(list(follower.poll()))[-3:] == kept[-3:]
    follower.close()
    again = LogFile(tmp_path)
    write_through(again, b"one more\n")
    again.close()
    assert texts(list(read(tmp_path)))[-2:] == [kept[-1], b"one more"]
