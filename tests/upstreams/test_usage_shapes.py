"""Usage that adds up is read the short way, all other the long way, and both ways read the same."""

from __future__ import annotations

import itertools

import msgspec
import pytest

from breakeven.catalog.usage import Usage
from breakeven.upstreams.usage_fields import ChatAnswer, ChatInput, ChatOutput, ChatUsage
from breakeven.upstreams.usage_shapes import _chat_usage, _plain_usage, chat_reported

COUNTS = {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}
DETAILS: dict[str, type[msgspec.Struct]] = {
    "prompt_tokens_details": ChatInput,
    "completion_tokens_details": ChatOutput,
}
FIELDS = [
    *((None, name) for name in ChatUsage.__struct_fields__ if name not in DETAILS),
    *((part, name) for part, kind in DETAILS.items() for name in kind.__struct_fields__),
]


def usage_of(stated: dict[tuple[str | None, str], int | None]) -> ChatUsage:
    told: dict[str, object] = {**COUNTS}
    for (part, name), count in stated.items():
        if part is None:
            told[name] = count
        else:
            within = told.setdefault(part, {})
            assert isinstance(within, dict)
            within[name] = count
    return msgspec.convert(told, ChatUsage)


@pytest.mark.parametrize("fields", list(itertools.combinations(FIELDS, 2)))
def test_the_short_way_reads_what_the_long_way_does(fields: tuple[tuple[str | None, str], ...]) -> None:
    for counts in itertools.product((None, 0, 3, 20), repeat=2):
        usage = usage_of(dict(zip(fields, counts, strict=True)))
        read = chat_reported(ChatAnswer(usage=usage)).usage
        assert read == _chat_usage(usage, has_audio=False, asks_audio=False), usage


def test_the_short_way_is_taken_where_usage_adds_up() -> None:
    cached = usage_of({("prompt_tokens_details", "cached_tokens"): 3})
    assert _plain_usage(cached) == Usage(input_tokens=9, output_tokens=4, cache_read_tokens=3)
    assert _plain_usage(usage_of({(None, "reasoning_tokens"): 3})) is None
