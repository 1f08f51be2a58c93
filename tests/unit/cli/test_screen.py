"""Waiting for something to show, on a stream that may be gone."""

from __future__ import annotations

import io
import os

import pytest

from composer.cli.render.terminal import Screen


def test_a_stream_without_a_reader_ends_the_wait() -> None:
    source, writing = os.pipe()
    reading, out = os.pipe()
    with os.fdopen(out, "w") as stream:
        screen = Screen(stream, tty=False, colour=False)
        os.write(writing, b"x")
        screen.until_readable(source)
        os.read(source, 1)
        os.close(reading)
        with pytest.raises(BrokenPipeError):
            screen.until_readable(source)
    os.close(source)
    os.close(writing)


def test_a_stream_that_is_no_file_is_never_gone() -> None:
    source, writing = os.pipe()
    os.write(writing, b"x")

    Screen(io.StringIO(), tty=False, colour=False).until_readable(source)

    os.close(source)
    os.close(writing)
