from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breakeven.policy.headroom import Headroom
from breakeven.upstreams.rate_headers import read_headroom

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def test_the_headers_of_openai() -> None:
    # platform.openai.com/docs/guides/rate-limits, "Rate limits in headers"
    assert read_headroom(
        {
            b"x-ratelimit-limit-requests": b"60",
            b"x-ratelimit-limit-tokens": b"150000",
            b"x-ratelimit-remaining-requests": b"59",
            b"x-ratelimit-remaining-tokens": b"149984",
            b"x-ratelimit-reset-requests": b"1s",
            b"x-ratelimit-reset-tokens": b"6m0s",
        },
        NOW,
    ) == Headroom(
        remaining_requests=59,
        remaining_tokens=149_984,
        limit_requests=60,
        limit_tokens=150_000,
        requests_reset_s=1.0,
        tokens_reset_s=360.0,
    )


def test_the_headers_of_azure() -> None:
    found = read_headroom({b"x-ratelimit-remaining-requests": b"9", b"x-ratelimit-remaining-tokens": b"9000"}, NOW)
    assert found == Headroom(remaining_requests=9, remaining_tokens=9_000)
    assert read_headroom({b"retry-after-ms": b"1500", b"retry-after": b"2"}, NOW) == Headroom(retry_after_s=1.5)


def test_the_headers_of_anthropic_by_their_scarcest_tokens() -> None:
    # docs.anthropic.com/en/api/rate-limits, "Response headers"
    found = read_headroom(
        {
            b"anthropic-ratelimit-requests-limit": b"50",
            b"anthropic-ratelimit-requests-remaining": b"49",
            b"anthropic-ratelimit-requests-reset": b"2026-11-24T12:00:30Z",
            b"anthropic-ratelimit-input-tokens-limit": b"40000",
            b"anthropic-ratelimit-input-tokens-remaining": b"39000",
            b"anthropic-ratelimit-input-tokens-reset": b"2026-11-24T12:00:10Z",
            b"anthropic-ratelimit-output-tokens-limit": b"8000",
            b"anthropic-ratelimit-output-tokens-remaining": b"7000",
            b"anthropic-ratelimit-output-tokens-reset": b"2026-11-24T11:59:00Z",
            b"retry-after": b"3",
        },
        NOW,
    )
    assert found == Headroom(
        remaining_requests=49,
        remaining_tokens=7_000,
        limit_requests=50,
        limit_tokens=8_000,
        requests_reset_s=30.0,
        tokens_reset_s=0.0,
        retry_after_s=3.0,
    )


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (b"20ms", 0.02),
        (b"1h2m3.5s", 3_723.5),
        (b"7.66s", 7.66),
        (b"2", 2.0),
        (b"soon", None),
        (b"1s later", None),
        (b"-1s", None),
    ],
)
def test_spans_of_time(text: bytes, seconds: float | None) -> None:
    found = read_headroom({b"x-ratelimit-remaining-requests": b"1", b"x-ratelimit-reset-requests": text}, NOW)
    assert found is not None
    assert found.requests_reset_s == pytest.approx(seconds) if seconds is not None else found.requests_reset_s is None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [(b"7", 7.0), (b"0.5", 0.5), (b"Tue, 24 Nov 2026 12:00:09 GMT", 9.0), (b"Tue, 24 Nov 2026 11:00:00 GMT", 0.0)],
)
def test_retry_after_in_seconds_or_as_a_date(text: bytes, seconds: float) -> None:
    assert read_headroom({b"retry-after": text}, NOW) == Headroom(retry_after_s=seconds)


def test_an_answer_that_says_nothing() -> None:
    assert read_headroom({b"content-type": b"application/json"}, NOW) is None
    assert read_headroom({b"retry-after": b"whenever"}, NOW) is None


names = st.sampled_from(
    [
        b"retry-after",
        b"retry-after-ms",
        b"x-ratelimit-remaining-requests",
        b"x-ratelimit-reset-tokens",
        b"anthropic-ratelimit-requests-remaining",
        b"anthropic-ratelimit-requests-reset",
    ]
)


@given(st.dictionaries(names, st.binary(max_size=30) | st.from_regex(rb"[0-9.:TZ+ms-]{1,30}", fullmatch=True)))
def test_no_header_breaks_an_answer(headers: dict[bytes, bytes]) -> None:
    found = read_headroom(headers, NOW)
    if found is not None and found.retry_after_s is not None:
        assert found.retry_after_s >= 0
