"""The head of an answer, as bytes: what is the same for many answers is made once."""

from __future__ import annotations

import time
from email.utils import formatdate
from http import HTTPStatus
from typing import Final

from breakeven.pipeline.reply import Headers

STATUS_LINES: Final = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus}
CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
WITHOUT_BODY: Final = frozenset({204, 304})


class DateLine:
    """``date`` and the security headers of every answer; `refresh` once a second keeps the date right."""

    __slots__ = ("lines",)

    def __init__(self) -> None:
        self.refresh()

    def refresh(self) -> None:
        """Read the clock."""
        date = formatdate(time.time(), usegmt=True)
        self.lines = f"date: {date}\r\nx-content-type-options: nosniff\r\n".encode()


def status_line(status: int) -> bytes:
    """The first line of an answer; a status without a name has none."""
    return STATUS_LINES.get(status) or b"HTTP/1.1 %d \r\n" % status


def header_lines(headers: Headers) -> bytes:
    """The lines of an answer's own headers; it may be stored by nobody unless they say so.

    Raises:
        ValueError: a name or value with a line break in it, which would end the header and begin another.
    """
    lines = b"\r\n".join([*map(b": ".join, headers), b""])
    if not lines.count(b"\n") == lines.count(b"\r") == len(headers):
        raise ValueError("a header of the answer has a line break in it")
    if lines.startswith(b"cache-control:") or lines.rfind(b"\ncache-control:") >= 0:
        return lines
    return lines + b"cache-control: no-store\r\n"
