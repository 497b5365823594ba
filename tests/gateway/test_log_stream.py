"""A log that nobody reads holds nobody up: a full pipe takes no more lines, and says so when it is read again."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from breakeven.gateway.log_stream import UnwaitingStream, log_stream

LINE = "a line of the log, about as long as they are, with a request's id and what it cost\n"


def test_a_pipe_that_nobody_reads_takes_what_it_has_room_for_and_no_more() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as reader, os.fdopen(writing, "w") as writer:
        stream = log_stream(writer)
        assert isinstance(stream, UnwaitingStream)
        for _ in range(100):
            stream.write(LINE * 50)
        dropped = stream.dropped_lines
        assert 0 < dropped < 5_000
        os.set_blocking(reading, False)
        heard = reader.read()
        assert heard is not None
        assert heard == LINE.encode() * (5_000 - dropped), "whole lines, from the first on"
        stream.write(LINE)
        assert stream.dropped_lines == 0
        assert reader.read() == f"({dropped} lines of the log were dropped: nobody read them)\n{LINE}".encode()
        stream.write("é" * 5_000 + "\n")
        assert reader.read() == ("é" * 5_000 + "\n").encode()


def test_a_reader_that_has_gone_is_an_error_and_no_signal() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as writer, pytest.raises(BrokenPipeError):
        log_stream(writer).write(LINE)


def test_files_and_buffers_are_written_to_as_they_are(tmp_path: Path) -> None:
    buffer = io.StringIO()
    assert log_stream(buffer) is buffer
    with (tmp_path / "log").open("w") as file:
        assert log_stream(file) is file
