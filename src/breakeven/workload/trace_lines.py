"""Lines of a text trace: read with a bound, decoded strictly, counted."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from io import BufferedReader
from itertools import chain
from pathlib import Path
from typing import BinaryIO, Final, cast

from breakeven.errors import TraceError

MAX_LINE_BYTES: Final = 1 << 20
"""Longest line that is read, in bytes; a trace's row has a few hundred."""

GZIP_MAGIC: Final = b"\x1f\x8b"
_NEWLINE: Final = b"\n"
_UTF8_MARK: Final = b"\xef\xbb\xbf"
_OTHER_MARKS: Final = (b"\xff\xfe", b"\xfe\xff")


def opened(path: Path) -> BinaryIO:
    """The file opened for reading bytes, unpacked where it is gzip.

    Raises:
        TraceError: it is not there, not a regular file, or may not be read.
    """
    try:
        if not path.exists():
            raise TraceError(f"{path}: no such file", hint="check the path of the trace")
        if not path.is_file():
            raise TraceError(
                f"{path}: not a regular file",
                cause="a folder" if path.is_dir() else "a pipe or a device, which cannot be read twice",
                hint="give the path of a file; from a pipe: ... > trace.csv, then breakeven plan trace.csv",
            )
        file = path.open("rb")
    except (OSError, ValueError) as failed:
        raise TraceError(f"{path}: cannot be read", cause=str(failed), hint="check the path") from None
    if _starts(file, path)[:2] == GZIP_MAGIC:
        return cast("BinaryIO", gzip.GzipFile(fileobj=file))
    return file


def _starts(file: BufferedReader, path: Path) -> bytes:
    """The first bytes, left in place."""
    try:
        return file.peek(2)
    except OSError as failed:
        raise TraceError(f"{path}: cannot be read", cause=failed.strerror, hint="check the path") from None


def text_lines(path: Path) -> Iterator[str]:
    """The lines of a UTF-8 file without their ends, the byte order mark dropped.

    Raises:
        TraceError: a line that is too long, not UTF-8 or has a NUL byte, or broken gzip; the message names the line.
    """
    return chain.from_iterable(_blocks(path))


def _blocks(path: Path) -> Iterator[list[str]]:
    """Lines in blocks of about 1 MiB: bytes are checked and decoded a block at a time."""
    with opened(path) as file:
        number, rest = 1, b""
        while read := read_some(file, MAX_LINE_BYTES, where=f"{path}:{number}"):
            block, newline, rest = (rest + read).rpartition(_NEWLINE)
            if max(len(block.partition(_NEWLINE)[0]), len(rest)) > MAX_LINE_BYTES:  # no later line can be longer
                raise _too_long(path, number)
            if newline:
                lines = _decoded(block, path, number).split("\n")
                number += len(lines)
                yield lines
        if rest:
            yield [_decoded(rest, path, number)]


def read_some(file: BinaryIO, most_bytes: int, *, where: str) -> bytes:
    """Up to ``most_bytes`` of a file; empty at its end.

    Raises:
        TraceError: the file ends too early, or is broken gzip.
    """
    try:
        return file.read(most_bytes)
    except (OSError, EOFError, zlib.error) as failed:
        raise TraceError(
            f"{where}: cannot be read further", cause=str(failed), hint="check that the file is complete"
        ) from None


def _too_long(path: Path, number: int) -> TraceError:
    return TraceError(
        f"{path}:{number}: a line of more than 1 MiB",
        cause="a trace has one request a line",
        hint="check the file's line ends, or leave the prompts' text out of the export",
    )


def _decoded(block: bytes, path: Path, number: int) -> str:
    """A block as text; ``number`` is the number of its first line."""
    if number == 1:
        if block.startswith(_OTHER_MARKS):
            raise TraceError(
                f"{path}:1: UTF-16 text", hint=f"iconv -f UTF-16 -t UTF-8 {path} > utf8.csv  # then read utf8.csv"
            )
        block = block.removeprefix(_UTF8_MARK)
    if (nul := block.find(b"\0")) >= 0:
        raise TraceError(
            f"{path}:{number + block.count(_NEWLINE, 0, nul)}: a NUL byte",
            cause="this is not a text file",
            hint="export it as UTF-8 CSV or JSON lines",
        )
    try:
        return block.decode("utf-8")
    except UnicodeDecodeError as failed:
        raise TraceError(
            f"{path}:{number + block.count(_NEWLINE, 0, failed.start)}: not UTF-8 text",
            cause=f"it has the byte 0x{block[failed.start]:02x}",
            hint=f"iconv -f LATIN1 -t UTF-8 {path} > utf8.csv  # then read utf8.csv",
        ) from None
