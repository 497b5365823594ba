"""Each provider's usage JSON as one `Usage`: what it counts, what it leaves out, and what contradicts itself.

Three questions have a different answer at every provider, and each wrong one is money: whether the input counts the
tokens read from a cache (OpenAI: yes; Anthropic: no), whether the output counts the reasoning (OpenAI: yes; xAI: no),
and under which name. Counts that contradict each other are read the way that costs more; no count is never zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import ceil, isfinite
from typing import Any, Final

from breakeven.catalog.usage import Usage
from breakeven.upstreams.wire import Extra

MOST_TOKENS: Final = 10**12
"""A larger count is a defect of the upstream; its cost would not fit a ledger's 64 bits."""

_PROCESSINGS: Final = dict.fromkeys(("default", "auto", "on_demand", "standard_only", "scale"), "standard")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """What an upstream said of one answer; ``usage`` is None where it stated no tokens."""

    usage: Usage | None = None
    processing: str | None = None
    extras: tuple[Extra, ...] = ()


NOTHING_REPORTED: Final = Reported()


def openai_reported(answer: Mapping[str, Any]) -> Reported:
    """Of a chat completion, a legacy completion, or a streamed chunk that states usage.

    Beside OpenAI's own shape: DeepSeek (``prompt_cache_hit_tokens``), Moonshot (``cached_tokens``), Groq
    (``x_groq.usage`` in a stream), xAI, Perplexity and Gemini (reasoning outside ``completion_tokens``), and llama.cpp
    (``timings`` where there is no usage).
    """
    usage = _object(answer, "usage") or _object(_object(answer, "x_groq"), "usage")
    if not usage:
        return Reported(usage=_timings_usage(_object(answer, "timings")), processing=_processing(answer))
    return Reported(usage=_chat_usage(usage), processing=_processing(answer), extras=_chat_extras(usage))


def responses_reported(answer: Mapping[str, Any]) -> Reported:
    """Of an OpenAI response object."""
    usage = _object(answer, "usage")
    searches = _count(_object(_object(answer, "tool_usage"), "web_search"), "num_requests")
    return Reported(
        usage=_responses_usage(usage),
        processing=_processing(answer),
        extras=(*_extra("web_searches", searches),),
    )


def embeddings_reported(answer: Mapping[str, Any]) -> Reported:
    """Of a list of embeddings, which have no output tokens."""
    usage = _object(answer, "usage")
    stated = _first(usage, "prompt_tokens", "input_tokens", "total_tokens")
    tokens = max(stated or 0, _count(usage, "total_tokens") or 0)
    return Reported(usage=None if stated is None else Usage(input_tokens=tokens), processing=_processing(answer))


def anthropic_reported(usage: Mapping[str, Any], *, long_writes: bool) -> Reported:
    """Of an Anthropic message's usage, which counts cache reads and writes beside its ``input_tokens``.

    ``long_writes`` says that the question asked for a one-hour cache: writes without a breakdown are then priced so.
    """
    fast = usage.get("speed") == "fast"
    searches = _count(_object(usage, "server_tool_use"), "web_search_requests")
    in_us = 1 if usage.get("inference_geo") == "us" else 0
    return Reported(
        usage=_anthropic_usage(usage, long_writes=long_writes),
        processing="fast" if fast else _processing(usage),
        extras=(*_extra("web_searches", searches), *_extra("us_inference", in_us)),
    )


def at_least(usage: Usage | None, *, input_tokens: int, output_tokens: int) -> Usage:
    """What was used at least, where the stated usage is only a beginning or missing: for a stream that broke off."""
    if usage is None:
        return Usage(input_tokens=input_tokens, output_tokens=output_tokens)
    return replace(usage, output_tokens=max(usage.output_tokens, output_tokens))


def _chat_usage(usage: Mapping[str, Any]) -> Usage | None:
    prompt, completion = _first(usage, "prompt_tokens", "input_tokens"), _first(usage, *_COMPLETION)
    total = _count(usage, "total_tokens")
    if completion is None and prompt is not None and total is not None:
        completion = max(0, total - prompt)
    if prompt is None and completion is not None and total is not None:
        prompt = max(0, total - completion)
    if prompt is None or completion is None:
        return None
    details, output_details = _object(usage, "prompt_tokens_details"), _object(usage, "completion_tokens_details")
    reasoning = _count(output_details, "reasoning_tokens") or _count(usage, "reasoning_tokens") or 0
    read = _count(details, "cached_tokens") or _first(usage, "prompt_cache_hit_tokens", "cached_tokens") or 0
    return _openai_usage(
        input_tokens=max(prompt, read + (_count(usage, "prompt_cache_miss_tokens") or 0)),
        cache_read_tokens=read,
        cache_write_tokens=_first(details, "cache_write_tokens", "cache_creation_tokens") or 0,
        output_tokens=_with_reasoning(completion, reasoning, (total or 0) - prompt)
        + (_count(usage, "citation_tokens") or 0),
        reasoning_tokens=reasoning,
    )


_COMPLETION: Final = ("completion_tokens", "output_tokens")


def _with_reasoning(completion: int, reasoning: int, rest: int) -> int:
    """Output tokens with the reasoning in them: the total less the input says whether they already are.

    ``rest`` is not positive where no total is stated; reasoning beyond the completion then cannot be a part of it.
    """
    if reasoning > completion:
        return completion + reasoning
    return max(completion, rest)


def _responses_usage(usage: Mapping[str, Any]) -> Usage | None:
    input_tokens, output_tokens = _count(usage, "input_tokens"), _count(usage, "output_tokens")
    if input_tokens is None or output_tokens is None:
        return None
    details = _object(usage, "input_tokens_details")
    reasoning = _count(_object(usage, "output_tokens_details"), "reasoning_tokens") or 0
    return _openai_usage(
        input_tokens=input_tokens,
        cache_read_tokens=_first(details, "cached_tokens", "cache_read_input_tokens") or 0,
        cache_write_tokens=_first(details, "cache_write_tokens", "cache_creation_input_tokens") or 0,
        output_tokens=_with_reasoning(output_tokens, reasoning, (_count(usage, "total_tokens") or 0) - input_tokens),
        reasoning_tokens=reasoning,
    )


def _openai_usage(
    *,
    input_tokens: int,
    cache_read_tokens: int,
    cache_write_tokens: int,
    output_tokens: int,
    reasoning_tokens: int,
) -> Usage:
    """The usage of a wire whose input contains its cached tokens.

    A part that exceeds the input comes from a provider that counts it beside the input, as Anthropic does: it is added.
    Reads and writes that only together exceed it overlap: the writes, which are dearer, stay whole.
    """
    if cache_read_tokens > input_tokens or cache_write_tokens > input_tokens:
        input_tokens += cache_read_tokens + cache_write_tokens
    return Usage(
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        cache_read_tokens=min(cache_read_tokens, input_tokens - cache_write_tokens),
        cache_write_5m_tokens=cache_write_tokens,
        reasoning_tokens=min(reasoning_tokens, output_tokens),
    )


def _anthropic_usage(usage: Mapping[str, Any], *, long_writes: bool) -> Usage | None:
    plain, output_tokens = _count(usage, "input_tokens"), _count(usage, "output_tokens")
    if plain is None or output_tokens is None:
        return None
    read = _count(usage, "cache_read_input_tokens") or 0
    written = _count(usage, "cache_creation_input_tokens") or 0
    split = _object(usage, "cache_creation")
    short, long = (_count(split, f"ephemeral_{ttl}_input_tokens") for ttl in ("5m", "1h"))
    unsplit = max(0, written - (short or 0) - (long or 0))
    dear = unsplit if long_writes or short is not None or long is not None else 0
    thinking = _count(_object(usage, "output_tokens_details"), "thinking_tokens") or 0
    write_5m, write_1h = (short or 0) + unsplit - dear, (long or 0) + dear
    return Usage(
        input_tokens=plain + read + write_5m + write_1h,
        output_tokens=max(output_tokens, thinking),
        cache_read_tokens=read,
        cache_write_5m_tokens=write_5m,
        cache_write_1h_tokens=write_1h,
        reasoning_tokens=thinking,
    )


def _timings_usage(timings: Mapping[str, Any]) -> Usage | None:
    """llama.cpp's own counts; its ``prompt_n`` leaves out what was in its cache."""
    read, evaluated, predicted = (_count(timings, name) for name in ("cache_n", "prompt_n", "predicted_n"))
    if evaluated is None or predicted is None:
        return None
    return Usage(input_tokens=evaluated + (read or 0), cache_read_tokens=read or 0, output_tokens=predicted)


def _chat_extras(usage: Mapping[str, Any]) -> tuple[Extra, ...]:
    details, output_details = _object(usage, "prompt_tokens_details"), _object(usage, "completion_tokens_details")
    return (
        *_extra("input_audio_tokens", _count(details, "audio_tokens")),
        *_extra("output_audio_tokens", _count(output_details, "audio_tokens")),
        *_extra("output_image_tokens", _count(output_details, "image_tokens")),
        *_extra("web_searches", _first(usage, "num_search_queries", "num_sources_used")),
    )


def _extra(kind: Any, quantity: int | None) -> tuple[Extra, ...]:
    return (Extra(kind, quantity),) if quantity else ()


def _processing(holder: Mapping[str, Any]) -> str | None:
    tier = holder.get("service_tier")
    return processing_of(tier) if isinstance(tier, str) and tier else None


def processing_of(tier: str) -> str:
    """The processing that a service tier means; a tier that the catalogue has no word for keeps its own."""
    return _PROCESSINGS.get(tier, tier)


def _object(holder: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = holder.get(name)
    return value if isinstance(value, dict) else {}


def _first(holder: Mapping[str, Any], *names: str) -> int | None:
    """The first of these counts that is stated."""
    return next((count for name in names if (count := _count(holder, name)) is not None), None)


def _count(holder: Mapping[str, Any], name: str) -> int | None:
    """A count of tokens: None where there is none, at least zero, and a fraction of a token is a token."""
    value = holder.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        return None
    return min(max(0, ceil(value)), MOST_TOKENS)
