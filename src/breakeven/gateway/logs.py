"""The log: one line for each entry of the ledger, as text or JSON; never a prompt, a body, a key or a credential.

A line is made from the entry, which has none of these. Other messages of the gateway are sentences of its own.
"""

from __future__ import annotations

import asyncio
import logging
import time
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final, Literal

import msgspec

from breakeven.gateway.log_stream import LogStream
from breakeven.ledger.entry import LedgerEntry
from breakeven.policy.window import NS_PER_S

LogFormat = Literal["text", "json"]

FLUSH_S: Final = 0.1
"""Lines of requests are written together: a system call for each would cost more than the rest of the line."""


class EntryLine(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt as JSON lines say it."""

    time: str
    level: str = "info"
    event: str = "attempt"
    request_id: str
    attempt: int
    tenant: str
    model: str
    deployment: str
    operation: str
    outcome: str
    served_from: str
    status: int
    input_tokens: int
    output_tokens: int
    cost_nano_usd: int
    duration_s: float
    ttft_s: float | None


class MessageLine(msgspec.Struct, frozen=True, kw_only=True):
    """Any other message as JSON lines say it."""

    time: str
    level: str
    event: str = "message"
    message: str
    error: str | None = None


class EntryLog:
    """An observer of a ledger that writes one line an entry. ``close`` writes what is left."""

    def __init__(self, stream: LogStream, log_format: LogFormat) -> None:
        self._stream = stream
        self._line = _json_line if log_format == "json" else _text_line
        self._entries: list[LedgerEntry] = []

    def observe(self, entry: LedgerEntry) -> None:
        """Note an entry; its line is written within 100 ms."""
        if not self._entries:
            asyncio.get_running_loop().call_later(FLUSH_S, self.flush)
        self._entries.append(entry)

    def flush(self) -> None:
        """Write the lines of all entries so far. A log that cannot be written stops no request."""
        entries, self._entries = self._entries, []
        if entries:
            try:
                self._stream.write("".join(map(self._line, entries)))
                self._stream.flush()
            except (OSError, ValueError):
                return


class JsonFormatter(logging.Formatter):
    """Messages of the logging module as JSON lines."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        line = MessageLine(
            time=_moment(int(record.created * NS_PER_S)),
            level=record.levelname.lower(),
            message=record.getMessage(),
            error=self.formatException(record.exc_info) if record.exc_info else None,
        )
        return msgspec.json.encode(line).decode()


def set_up_logs(stream: LogStream, level: str, log_format: LogFormat) -> None:
    """Send the messages of this process to a stream, from ``level`` on (``debug``, ``info``, ``warning``, ...)."""
    handler = logging.StreamHandler(stream)
    text = logging.Formatter("%(asctime)s.%(msecs)03dZ %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%S")
    text.converter = time.gmtime
    handler.setFormatter(JsonFormatter() if log_format == "json" else text)
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)


def _json_line(entry: LedgerEntry) -> str:
    line = EntryLine(
        time=_moment(entry.started_at_ns),
        request_id=entry.request_id,
        attempt=entry.attempt,
        tenant=entry.tenant,
        model=entry.served_model,
        deployment=entry.deployment,
        operation=entry.operation,
        outcome=entry.outcome,
        served_from=entry.served_from,
        status=entry.http_status,
        input_tokens=entry.usage.input_tokens,
        output_tokens=entry.usage.output_tokens,
        cost_nano_usd=entry.effective_nano_usd,
        duration_s=entry.duration_s,
        ttft_s=entry.ttft_s,
    )
    return msgspec.json.encode(line).decode() + "\n"


def _text_line(entry: LedgerEntry) -> str:
    usage = entry.usage
    source = "" if entry.served_from == "upstream" else f" from {entry.served_from}"
    return (
        f"{_moment(entry.started_at_ns)} INFO {entry.request_id} attempt {entry.attempt} "
        f"{_one_line(entry.tenant)} {_one_line(entry.served_model)}@{entry.deployment} {entry.operation} "
        f"{entry.outcome} {entry.http_status}{source} tokens {usage.input_tokens}+{usage.output_tokens} "
        f"cost_nano_usd {entry.effective_nano_usd} in {entry.duration_s:.3f} s\n"
    )


def _one_line(name: str) -> str:
    """A name that clients or admins chose, so that it cannot begin a line of its own."""
    return name if name.isprintable() else ascii(name)


def _moment(at_ns: int) -> str:
    return f"{_second(at_ns // NS_PER_S)}.{at_ns % NS_PER_S // 1_000_000:03d}Z"


@lru_cache(maxsize=16)
def _second(at_s: int) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%S")
