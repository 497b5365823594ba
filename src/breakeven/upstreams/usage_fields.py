"""The fields that say what an answer used, as each wire names them, read out of an answer that is otherwise skipped.

Upstreams also send fractions, negative counts, null and objects where a number should be. What fits is read in one
pass; an answer with something that does not fit is read again field by field: no count below zero, a part of a token
is a token, and what is no count is not there.
"""

from __future__ import annotations

from math import ceil, isfinite
from typing import Annotated, Any, Final, Generic, TypeVar, get_args, get_type_hints

import msgspec
from msgspec import Meta, Raw, Struct

MOST_TOKENS: Final = 10**12
"""A larger count is a defect of the upstream; its cost would not fit a ledger's 64 bits."""

Count = Annotated[int, Meta(ge=0, le=MOST_TOKENS)] | None
Text = str | None


class ChatInput(Struct):
    """Parts of a chat's input."""

    cached_tokens: Count = None
    cache_write_tokens: Count = None
    cache_creation_tokens: Count = None
    audio_tokens: Count = None


class ChatOutput(Struct):
    """Parts of a chat's output."""

    reasoning_tokens: Count = None
    audio_tokens: Count = None
    image_tokens: Count = None


class ChatUsage(Struct):
    """OpenAI's chat usage, and beside it DeepSeek's, Moonshot's, Perplexity's and xAI's own fields."""

    prompt_tokens: Count = None
    completion_tokens: Count = None
    total_tokens: Count = None
    prompt_tokens_details: ChatInput | None = None
    completion_tokens_details: ChatOutput | None = None
    prompt_cache_hit_tokens: Count = None
    prompt_cache_miss_tokens: Count = None
    cached_tokens: Count = None
    reasoning_tokens: Count = None
    citation_tokens: Count = None
    num_search_queries: Count = None
    num_sources_used: Count = None


class GroqUsage(Struct):
    """Where Groq's streams state their usage."""

    usage: ChatUsage | None = None


class LlamaTimings(Struct):
    """llama.cpp's own counts; ``prompt_n`` leaves out what was in its cache."""

    cache_n: Count = None
    prompt_n: Count = None
    predicted_n: Count = None


class ChatAnswer(Struct):
    """A chat completion, a legacy completion, or a chunk of either."""

    usage: ChatUsage | None = None
    x_groq: GroqUsage | None = None
    timings: LlamaTimings | None = None
    service_tier: Text = None
    error: Any = None
    choices: Raw = Raw(b"null")


class ResponseInput(Struct):
    """Parts of a response's input."""

    cached_tokens: Count = None
    cache_read_input_tokens: Count = None
    cache_write_tokens: Count = None
    audio_tokens: Count = None


class ResponseOutput(Struct):
    """Parts of a response's output."""

    reasoning_tokens: Count = None


class ResponseUsage(Struct):
    """OpenAI's usage of a response."""

    input_tokens: Count = None
    output_tokens: Count = None
    total_tokens: Count = None
    input_tokens_details: ResponseInput | None = None
    output_tokens_details: ResponseOutput | None = None


class Searches(Struct):
    """Searches that are billed each."""

    num_requests: Count = None


class ToolUsage(Struct):
    """What hosted tools used."""

    web_search: Searches | None = None


class ResponseAnswer(Struct):
    """An OpenAI response object."""

    usage: ResponseUsage | None = None
    service_tier: Text = None
    tool_usage: ToolUsage | None = None
    error: Any = None


class EmbeddingsUsage(Struct):
    """OpenAI's usage of embeddings."""

    prompt_tokens: Count = None
    total_tokens: Count = None


class EmbeddingsAnswer(Struct):
    """A list of embeddings."""

    usage: EmbeddingsUsage | None = None
    service_tier: Text = None


class CacheWrites(Struct):
    """Anthropic's cache writes by the time for which they are kept."""

    ephemeral_5m_input_tokens: Count = None
    ephemeral_1h_input_tokens: Count = None


class MessageOutput(Struct):
    """Parts of a message's output."""

    thinking_tokens: Count = None


class ServerToolUse(Struct):
    """What Anthropic's tools used."""

    web_search_requests: Count = None


class MessageUsage(Struct):
    """Anthropic's usage; ``input_tokens`` is what was neither read from a cache nor written to one."""

    input_tokens: Count = None
    output_tokens: Count = None
    cache_read_input_tokens: Count = None
    cache_creation_input_tokens: Count = None
    cache_creation: CacheWrites | None = None
    output_tokens_details: MessageOutput | None = None
    server_tool_use: ServerToolUse | None = None
    service_tier: Text = None
    speed: Text = None
    inference_geo: Text = None

    def then(self, later: MessageUsage | None) -> MessageUsage:
        """What is known after a later event of the same stream: its counts are cumulative, null says nothing."""
        if later is None:
            return self
        names = self.__struct_fields__
        stated = {name: value for name in names if (value := getattr(later, name)) is not None}
        return msgspec.structs.replace(self, **stated)


class Message(Struct):
    """An Anthropic message."""

    usage: MessageUsage | None = None


class MessageEvent(Struct):
    """An event of a streamed message that is not about one of its blocks."""

    type: Text = None
    message: Message | None = None
    usage: MessageUsage | None = None


Told = TypeVar("Told", bound=Struct)


class Reader(Generic[Told]):
    """Reads one kind of answer."""

    def __init__(self, kind: type[Told]) -> None:
        self._kind = kind
        self._decoder = msgspec.json.Decoder(kind)

    def read(self, body: bytes | Raw) -> Told | None:
        """What an answer says; None where it is no JSON object."""
        try:
            try:
                return self._decoder.decode(body)
            except msgspec.ValidationError:
                return _leniently(self._kind, msgspec.json.decode(body))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None


def _leniently(kind: type[Told], value: object) -> Told | None:
    if not isinstance(value, dict):
        return None
    hints = get_type_hints(kind)
    return kind(**{name: _field(hints[name], value[name]) for name in kind.__struct_fields__ if name in value})


def _field(hint: Any, value: object) -> object:
    """A value as a field of this type; None where it is none."""
    if hint is Any:
        return value
    if hint is Raw:
        return Raw(msgspec.json.encode(value))
    of = get_args(hint)[0]
    if of is str:
        return value if isinstance(value, str) else None
    return _count(value) if of is int else _leniently(of, value)


def _count(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if isinstance(value, float) and not isfinite(value):
        return None
    return min(max(0, ceil(value)), MOST_TOKENS)
