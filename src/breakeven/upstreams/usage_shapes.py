"""Each provider's usage as one `Usage`: what it counts, what it leaves out, and what contradicts itself.

Three questions have a different answer at every provider, and each wrong one is money: whether the input counts the
tokens read from a cache (OpenAI: yes; Anthropic: no), whether the output counts the reasoning (OpenAI: yes; xAI: no),
and under which name. How much of the cached input was audio, no wire says. Counts that contradict each other are read
the way that costs more; no count is never zero.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from breakeven.catalog.usage import Usage
from breakeven.upstreams.usage_fields import (
    ChatAnswer,
    ChatInput,
    ChatOutput,
    ChatUsage,
    EmbeddingsAnswer,
    LlamaTimings,
    MessageUsage,
    ResponseAnswer,
    ResponseInput,
    ResponseUsage,
)
from breakeven.upstreams.wire import Extra

_PROCESSINGS: Final = dict.fromkeys(("default", "auto", "on_demand", "standard_only", "scale"), "standard")
_NO_INPUT: Final = ChatInput()
_NO_OUTPUT: Final = ChatOutput()


class Reported(Struct, frozen=True, gc=False):
    """What an upstream said of one answer; ``usage`` is None where it stated no tokens."""

    usage: Usage | None = None
    processing: str | None = None
    extras: tuple[Extra, ...] = ()


NOTHING_REPORTED: Final = Reported()


def chat_reported(answer: ChatAnswer, *, has_audio: bool = False, asks_audio: bool = False) -> Reported:
    """Of a chat completion, a legacy completion, or a streamed chunk that states usage.

    Where the question had audio in it, or asked for audio, and the upstream does not say how much of the tokens that
    is, all of them are: audio is dearer than text.

    Beside OpenAI's own shape: DeepSeek (``prompt_cache_hit_tokens``), Moonshot (``cached_tokens``), Groq
    (``x_groq.usage`` in a stream), xAI, Perplexity and Gemini (reasoning outside ``completion_tokens``), and llama.cpp
    (``timings`` where there is no usage).
    """
    usage = answer.usage or (answer.x_groq.usage if answer.x_groq else None)
    processing = processing_of(answer.service_tier)
    if usage is None:
        return Reported(usage=_timings_usage(answer.timings), processing=processing)
    counted = None if has_audio or asks_audio else _plain_usage(usage)
    if counted is None:
        counted = _chat_usage(usage, has_audio=has_audio, asks_audio=asks_audio)
    return Reported(counted, processing, tuple(_chat_extras(usage)))


def response_reported(answer: ResponseAnswer, *, has_audio: bool = False) -> Reported:
    """Of an OpenAI response object; ``has_audio`` as for a chat."""
    searches = answer.tool_usage.web_search if answer.tool_usage else None
    found = searches.num_requests if searches else None
    return Reported(
        usage=None if answer.usage is None else _response_usage(answer.usage, has_audio=has_audio),
        processing=processing_of(answer.service_tier),
        extras=(Extra("web_searches", found),) if found else (),
    )


def embeddings_reported(answer: EmbeddingsAnswer) -> Reported:
    """Of a list of embeddings, which have no output tokens."""
    usage = answer.usage
    counts = [] if usage is None else [n for n in (usage.prompt_tokens, usage.total_tokens) if n is not None]
    return Reported(
        usage=Usage(input_tokens=max(counts)) if counts else None, processing=processing_of(answer.service_tier)
    )


def message_reported(usage: MessageUsage, *, long_writes: bool) -> Reported:
    """Of an Anthropic message, which counts cache reads and writes beside its ``input_tokens``.

    ``long_writes`` says that the question asked for a one-hour cache: writes without a breakdown are then priced so.
    """
    return Reported(
        usage=_message_usage(usage, long_writes=long_writes),
        processing="fast" if usage.speed == "fast" else processing_of(usage.service_tier),
        extras=tuple(_message_extras(usage)),
    )


def processing_of(tier: str | None) -> str | None:
    """The processing that a service tier means; a tier that the catalogue has no word for keeps its own."""
    return _PROCESSINGS.get(tier, tier) if tier else None


def _plain_usage(usage: ChatUsage) -> Usage | None:
    """What `_chat_usage` makes of text alone in OpenAI's own fields that adds up, in less time; None of any other."""
    prompt, completion = usage.prompt_tokens, usage.completion_tokens
    if prompt is None or completion is None or usage.total_tokens != prompt + completion:
        return None
    parts, output_parts = usage.prompt_tokens_details or _NO_INPUT, usage.completion_tokens_details or _NO_OUTPUT
    read, reasoning = parts.cached_tokens or 0, output_parts.reasoning_tokens or 0
    if (
        (usage.prompt_cache_hit_tokens or usage.prompt_cache_miss_tokens or usage.cached_tokens)
        or (usage.reasoning_tokens or usage.citation_tokens)
        or (parts.cache_write_tokens or parts.cache_creation_tokens)
        or (parts.audio_tokens or output_parts.audio_tokens)
        or (read > prompt or reasoning > completion)
    ):
        return None
    return Usage(input_tokens=prompt, output_tokens=completion, cache_read_tokens=read, reasoning_tokens=reasoning)


def _chat_usage(usage: ChatUsage, *, has_audio: bool, asks_audio: bool) -> Usage | None:
    prompt, completion, total = usage.prompt_tokens, usage.completion_tokens, usage.total_tokens
    if completion is None and prompt is not None and total is not None:
        completion = max(0, total - prompt)
    if prompt is None and completion is not None and total is not None:
        prompt = max(0, total - completion)
    if prompt is None or completion is None:
        return None
    parts, output_parts = usage.prompt_tokens_details or _NO_INPUT, usage.completion_tokens_details or _NO_OUTPUT
    reasoning = max(output_parts.reasoning_tokens or 0, usage.reasoning_tokens or 0)
    read = _stated(parts.cached_tokens, usage.prompt_cache_hit_tokens, usage.cached_tokens)
    output_tokens = _with_reasoning(completion, reasoning + (usage.citation_tokens or 0), (total or 0) - prompt)
    return _usage_with_parts(
        input_tokens=max(prompt, usage.prompt_cache_miss_tokens or 0),
        cache_read_tokens=read,
        cache_write_tokens=_stated(parts.cache_write_tokens, parts.cache_creation_tokens),
        input_audio_tokens=_heard(parts.audio_tokens, has_audio=has_audio),
        output_tokens=output_tokens,
        reasoning_tokens=reasoning,
        output_audio_tokens=_stated(output_parts.audio_tokens, output_tokens - reasoning if asks_audio else 0),
    )


def _response_usage(usage: ResponseUsage, *, has_audio: bool) -> Usage | None:
    if usage.input_tokens is None or usage.output_tokens is None:
        return None
    parts = usage.input_tokens_details or ResponseInput()
    reasoning = (usage.output_tokens_details.reasoning_tokens if usage.output_tokens_details else None) or 0
    rest = (usage.total_tokens or 0) - usage.input_tokens
    return _usage_with_parts(
        input_tokens=usage.input_tokens,
        cache_read_tokens=_stated(parts.cached_tokens, parts.cache_read_input_tokens),
        cache_write_tokens=parts.cache_write_tokens or 0,
        input_audio_tokens=_heard(parts.audio_tokens, has_audio=has_audio),
        output_tokens=_with_reasoning(usage.output_tokens, reasoning, rest),
        reasoning_tokens=reasoning,
    )


def _heard(stated: int | None, *, has_audio: bool) -> int | None:
    """Audio tokens of an input; None where it has some and the upstream does not say how many, or says none."""
    return (stated or None) if has_audio else (stated or 0)


def _with_reasoning(completion: int, reasoning: int, rest: int) -> int:
    """Output tokens with the reasoning in them.

    ``rest`` is the total less the input, and says whether they already are; it is negative where no total is stated.
    Reasoning that exceeds the completion cannot be a part of it.
    """
    outside = completion + reasoning if reasoning > completion else completion
    return max(outside, rest)


def _usage_with_parts(
    *,
    input_tokens: int,
    cache_read_tokens: int,
    cache_write_tokens: int,
    input_audio_tokens: int | None,
    output_tokens: int,
    reasoning_tokens: int,
    output_audio_tokens: int = 0,
) -> Usage:
    """The usage of a wire whose input contains its cached tokens and its audio; None: all that it may be is audio.

    A part that exceeds the input comes from a provider that counts it beside the input, as Anthropic does: it is added.
    Reads and writes that only together exceed it overlap: the writes, which are dearer, stay whole. So do audio and
    reads: what does not fit beside each other is audio that was read from the cache, which no upstream says.
    """
    if cache_read_tokens > input_tokens or cache_write_tokens > input_tokens:
        input_tokens += cache_read_tokens + cache_write_tokens
    audio = input_tokens - cache_write_tokens if input_audio_tokens is None else input_audio_tokens
    input_tokens = max(input_tokens + (audio if audio > input_tokens else 0), audio + cache_write_tokens)
    read = min(cache_read_tokens, input_tokens - cache_write_tokens)
    return Usage(
        input_tokens=input_tokens,
        output_tokens=max(output_tokens, reasoning_tokens + output_audio_tokens),
        cache_read_tokens=read,
        cache_write_5m_tokens=cache_write_tokens,
        reasoning_tokens=reasoning_tokens,
        input_audio_tokens=audio,
        cache_read_audio_tokens=max(0, read + cache_write_tokens + audio - input_tokens),
        output_audio_tokens=output_audio_tokens,
    )


def _message_usage(usage: MessageUsage, *, long_writes: bool) -> Usage | None:
    if usage.input_tokens is None or usage.output_tokens is None:
        return None
    read = usage.cache_read_input_tokens or 0
    write_5m, write_1h = _message_writes(usage, long_writes=long_writes)
    thinking = (usage.output_tokens_details.thinking_tokens if usage.output_tokens_details else None) or 0
    return Usage(
        input_tokens=usage.input_tokens + read + write_5m + write_1h,
        output_tokens=max(usage.output_tokens, thinking),
        cache_read_tokens=read,
        cache_write_5m_tokens=write_5m,
        cache_write_1h_tokens=write_1h,
        reasoning_tokens=thinking,
    )


def _message_writes(usage: MessageUsage, *, long_writes: bool) -> tuple[int, int]:
    """Tokens written for five minutes and for an hour; what a breakdown leaves out may be for an hour."""
    split = usage.cache_creation
    write_5m = (split.ephemeral_5m_input_tokens if split else None) or 0
    write_1h = (split.ephemeral_1h_input_tokens if split else None) or 0
    unsplit = max(0, (usage.cache_creation_input_tokens or 0) - write_5m - write_1h)
    return (write_5m, write_1h + unsplit) if long_writes or write_5m or write_1h else (unsplit, 0)


def _timings_usage(timings: LlamaTimings | None) -> Usage | None:
    if timings is None or timings.prompt_n is None or timings.predicted_n is None:
        return None
    read = timings.cache_n or 0
    return Usage(input_tokens=timings.prompt_n + read, cache_read_tokens=read, output_tokens=timings.predicted_n)


def _chat_extras(usage: ChatUsage) -> Iterator[Extra]:
    output_parts = usage.completion_tokens_details
    if output_parts is not None and output_parts.image_tokens:
        yield Extra("output_image_tokens", output_parts.image_tokens)
    if searches := _stated(usage.num_search_queries, usage.num_sources_used):
        yield Extra("web_searches", searches)


def _message_extras(usage: MessageUsage) -> Iterator[Extra]:
    if usage.server_tool_use is not None and usage.server_tool_use.web_search_requests:
        yield Extra("web_searches", usage.server_tool_use.web_search_requests)
    if usage.inference_geo == "us":
        yield Extra("us_inference", 1)


def _stated(*counts: int | None) -> int:
    """The first of these counts that is stated; 0 where none is."""
    for count in counts:
        if count is not None:
            return count
    return 0
