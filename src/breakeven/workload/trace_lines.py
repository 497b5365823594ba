"""Lines of a text trace: read with a bound, decoded strictly, counted."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final, cast

from breakeven.errors import TraceError

MAX_LINE_BYTES: Final = 1 << 20
"""Longest line that is read, in bytes; a trace's row has a few hundred."""

GZIP_MAGIC: Final = b"\x1f\x8b"
_UTF8_MARK: Final = b"\xef\xbb\xbf"
_OTHER_MARKS: Final = (b"\xff\xfe", b"\xfe\xff")


def opened(path: Path) -> BinaryIO:
    """The file opened for reading bytes, unpacked where it is gzip.

    Raises:
        TraceError: it is not there, not a file, or may not be read.
    """
    try:
        if not path.is_file():
            raise TraceError(f"{path}: no such file", hint="check the path of the trace")
        file = path.open("rb")
    except (OSError, ValueError) as failed:
        raise TraceError(f"{path}: cannot be read", cause=str(failed), hint="check the path") from None
    if file.peek(2)[:2] == GZIP_MAGIC:
        return cast("BinaryIO", gzip.GzipFile(fileobj=file))
    return file


def text_lines(path: Path) -> Iterator[str]:
    """The lines of a UTF-8 file with their ends, the byte order mark dropped.

    Raises:
        TraceError: a line that is too long, not UTF-8 or has a NUL byte, or broken gzip; the message names the line.
    """
    with opened(path) as file:
        number = 0
        while line := _line(file, path, number + 1):
            number += 1
            yield _decoded(line, path, number)


def _line(file: BinaryIO, path: Path, number: int) -> bytes:
    try:
        line = file.readline(MAX_LINE_BYTES + 1)
    except (OSError, EOFError, zlib.error) as failed:
        raise TraceError(
            f"{path}:{number}: cannot be read further", cause=str(failed), hint="check that the file is complete"
        ) from None
    if len(line) > MAX_LINE_BYTES:
        raise TraceError(
            f"{path}:{number}: a line of more than 1 MiB",
            cause="a trace has one request a line",
            hint="check the file's line ends, or leave the prompts' text out of the export",
        )
    return line


def _decoded(line: bytes, path: Path, number: int) -> str:
    if number == 1:
        if line.startswith(_OTHER_MARKS):
            raise TraceError(
                f"{path}:1: UTF-16 text", hint=f"iconv -f UTF-16 -t UTF-8 {path} > utf8.csv  # then read utf8.csv"
            )
        line = line.removeprefix(_UTF8_MARK)
    if b"\0" in line:
        raise TraceError(
            f"{path}:{number}: a NUL byte", cause="this is not a text file", hint="export it as UTF-8 CSV or JSON lines"
        )
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError as failed:
        raise TraceError(
            f"{path}:{number}: not UTF-8 text",
            cause=f"byte {failed.start + 1} of the line is 0x{line[failed.start]:02x}",
            hint=f"iconv -f LATIN1 -t UTF-8 {path} > utf8.csv  # then read utf8.csv",
        ) from None
