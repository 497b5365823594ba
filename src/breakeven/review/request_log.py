"""A file of logged requests, one JSON object a line, read as often as it is gone through."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec

from breakeven.errors import InputError, TraceError
from breakeven.review.logged_request import LoggedRequest, logged_request
from breakeven.workload.trace_lines import opened

_HINT = "a line is a request's body, or an object with body or request, and response, usage and timestamp where known"


def read_requests(path: Path) -> Iterator[LoggedRequest]:
    """The requests of a log, in the order of its lines; empty lines are left out.

    Raises:
        TraceError: the file cannot be read, or a line is no request; names the line.
    """
    with opened(path) as file:
        for number, text in enumerate(_lines(file, path), start=1):
            if text.strip():
                yield _request(path, number, text)


def _lines(file: BinaryIO, path: Path) -> Iterator[bytes]:
    try:
        yield from file
    except (OSError, EOFError, zlib.error) as failed:
        raise TraceError(f"{path}: cannot be read further", cause=str(failed), hint="check that it is whole") from None


def _request(path: Path, number: int, text: bytes) -> LoggedRequest:
    try:
        line = msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise TraceError(f"{path}:{number}: no JSON", cause=str(error), hint=_HINT) from error
    if not isinstance(line, dict):
        raise TraceError(f"{path}:{number}: a request is a JSON object", hint=_HINT)
    try:
        return logged_request(line)
    except InputError as error:
        raise TraceError(f"{path}:{number}: {error.message}", cause=error.cause, hint=_HINT) from error
