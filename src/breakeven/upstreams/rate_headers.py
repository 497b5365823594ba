"""What answers say about rate limits, in the headers of OpenAI, Azure and Anthropic."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from breakeven.policy.headroom import Headroom

_SPAN: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}
_ANTHROPIC: Final = b"anthropic-ratelimit-requests-remaining"
_TOKEN_KINDS: Final = (b"tokens", b"input-tokens", b"output-tokens")


_SAYING: Final = frozenset(
    (_ANTHROPIC, b"x-ratelimit-remaining-requests", b"x-ratelimit-remaining-tokens", b"retry-after", b"retry-after-ms")
)


def says_headroom(headers: Mapping[bytes, bytes]) -> bool:
    """Whether an answer says anything of its limits; most model servers of one's own say nothing."""
    return not _SAYING.isdisjoint(headers)


def read_headroom(headers: Mapping[bytes, bytes], now: datetime) -> Headroom | None:
    """What is left, as an answer's headers (names in lower case) say; None where they say nothing.

    OpenAI, Azure and those who copy them: ``x-ratelimit-{limit,remaining,reset}-{requests,tokens}``, the reset as
    ``6m0s`` or ``20ms``. Anthropic: ``anthropic-ratelimit-{requests,tokens,...}-{limit,remaining,reset}``, the reset an
    RFC 3339 time, so ``now`` (with a time zone) is needed. All: ``retry-after-ms``, ``retry-after`` in seconds or as a
    date. What cannot be read counts as not said: a header never breaks an answer.
    """
    retry_after_s = _retry_after_s(headers, now)
    if _ANTHROPIC in headers:
        return _anthropic(headers, now, retry_after_s)
    requests = _whole(headers.get(b"x-ratelimit-remaining-requests"))
    tokens = _whole(headers.get(b"x-ratelimit-remaining-tokens"))
    if requests is None and tokens is None and retry_after_s is None:
        return None
    return Headroom(
        remaining_requests=requests,
        remaining_tokens=tokens,
        limit_requests=_whole(headers.get(b"x-ratelimit-limit-requests")),
        limit_tokens=_whole(headers.get(b"x-ratelimit-limit-tokens")),
        requests_reset_s=_span_s(headers.get(b"x-ratelimit-reset-requests")),
        tokens_reset_s=_span_s(headers.get(b"x-ratelimit-reset-tokens")),
        retry_after_s=retry_after_s,
    )


def _anthropic(headers: Mapping[bytes, bytes], now: datetime, retry_after_s: float | None) -> Headroom:
    def said(kind: bytes, what: bytes) -> bytes | None:
        return headers.get(b"anthropic-ratelimit-%b-%b" % (kind, what))

    left = {kind: remaining for kind in _TOKEN_KINDS if (remaining := _whole(said(kind, b"remaining"))) is not None}
    scarcest = min(left, key=lambda kind: left[kind], default=b"tokens")
    return Headroom(
        remaining_requests=_whole(said(b"requests", b"remaining")),
        remaining_tokens=left.get(scarcest),
        limit_requests=_whole(said(b"requests", b"limit")),
        limit_tokens=_whole(said(scarcest, b"limit")),
        requests_reset_s=_until_s(said(b"requests", b"reset"), now),
        tokens_reset_s=_until_s(said(scarcest, b"reset"), now),
        retry_after_s=retry_after_s,
    )


def _retry_after_s(headers: Mapping[bytes, bytes], now: datetime) -> float | None:
    milliseconds = _number(headers.get(b"retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1_000
    text = headers.get(b"retry-after")
    seconds = _number(text)
    if seconds is not None or text is None:
        return seconds
    try:
        at = parsedate_to_datetime(text.decode("ascii"))
    except ValueError:
        return None
    return max((at.replace(tzinfo=at.tzinfo or UTC) - now).total_seconds(), 0.0)


def _whole(text: bytes | None) -> int | None:
    number = _number(text)
    return None if number is None else int(number)


def _number(text: bytes | None) -> float | None:
    """Not negative and finite: digits, perhaps with a fraction."""
    if text is None or not re.fullmatch(rb"\d{1,15}(\.\d{1,15})?", text.strip()):
        return None
    return float(text)


def _span_s(text: bytes | None) -> float | None:
    """Seconds of ``1h6m0.5s``; a number alone is seconds (Groq and vLLM proxies)."""
    if text is None or (seconds := _number(text)) is not None:
        return seconds if text is not None else None
    shown = text.decode("ascii", "replace").strip()
    parts = _SPAN.findall(shown)
    if not parts or "".join(number + unit for number, unit in parts) != shown:
        return None
    return sum(float(number) * _SECONDS[unit] for number, unit in parts)


def _until_s(text: bytes | None, now: datetime) -> float | None:
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text.decode("ascii"))
    except ValueError:
        return None
    return max((at - now).total_seconds(), 0.0) if at.tzinfo else None
