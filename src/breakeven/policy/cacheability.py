"""Whether a question's answer may be remembered: only where asking again would say the same, and does nothing else.

A temperature that is not stated is 1, so a question without one is not cached: that would freeze one of many answers. A
route may say otherwise (`CacheRule`). Some questions are never cached, whatever the route says: those whose answer the
provider makes from what it keeps or finds itself, and those that make it keep something.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import msgspec
from msgspec import Raw, Struct

from breakeven.policy.decision import Operation

NotCached = Literal[
    "off",
    "no_store",
    "not_deterministic",
    "several_answers",
    "logprobs",
    "stored",
    "remembered",
    "stored_prompt",
    "background",
    "provider_tools",
    "audio",
    "linked",
    "tool_results",
    "unreadable",
]
"""Why a question is neither looked up nor stored: a code for ledger and metrics.

``off``: its route has no cache. ``no_store``: its client said so. ``not_deterministic``: no seed, and no temperature or
one above the route's. ``stored``: the provider is to keep the answer. ``remembered``: it continues what the provider
keeps. ``provider_tools``: the provider searches, runs code or calls others. ``linked``: it shows what is at an address,
which may change. ``tool_results``: a tool has done something that the answer is about. ``unreadable``: its JSON means
two things, or nothing.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheRule:
    """What a route says of its cache: how long an answer holds, and which questions have one.

    ``always`` declares that any of many answers will do, as with reasoning models, which take no temperature.
    ``max_temperature`` does so up to a temperature. ``pure_tools`` declares that the clients' tools change nothing and
    say the same whenever they are called.
    """

    ttl_s: float = 3_600.0
    always: bool = False
    max_temperature: float = 0.0
    pure_tools: bool = False


_GENERATION: Final[Mapping[str, NotCached]] = {
    "web_search_options": "provider_tools",
    "search_parameters": "provider_tools",
    "enable_search": "provider_tools",
    "plugins": "provider_tools",
    "data_sources": "provider_tools",
    "mcp_servers": "provider_tools",
    "container": "remembered",
    "thread": "remembered",
    "top_logprobs": "logprobs",
    "audio": "audio",
}
_NEVER: Final[Mapping[Operation, Mapping[str, NotCached]]] = {
    "chat": {**_GENERATION, "store": "stored", "logprobs": "logprobs"},
    "completions": _GENERATION,
    "responses": {
        **_GENERATION,
        "previous_response_id": "remembered",
        "conversation": "remembered",
        "prompt": "stored_prompt",
        "background": "background",
    },
    "messages": _GENERATION,
    "embeddings": {},
}
"""Fields that, where they say something, make a question one that is never cached."""

_NOTHING: Final = frozenset((b"null", b"false", b"0", b"0.0", b"{}", b"[]", b'""'))
_SEEDED: Final = ("chat", "completions")
"""Endpoints that know a seed; elsewhere the field would be ignored, and the answer left to chance."""

_OWN_TOOLS: Final = frozenset(("function", "custom", "namespace"))
"""Types of tools that the client runs and describes itself. Any other is the provider's, or unknown; one without a type
is the client's if it has a name, unlike ``{"google_search": {}}``."""

_LINK: Final = re.compile(
    rb'"(?:(?:image_|file_|video_|audio_)?url"\s*:\s*"(?!data:)|(?:image|video|audio)"\s*:\s*"[hH][tT][tT][pP])'
)
"""Any address but one with the data in it: ``HTTPS:`` and ``gs:`` are links, too. Quotes within a text are escaped in
JSON, so a text that speaks of ``"url": "https:`` is none."""

_RESULT_SIGNS: Final[Mapping[Operation, tuple[bytes, ...]]] = {
    "chat": (b'"tool"', b'"function"'),
    "responses": (b'_output"',),
    "messages": (b'tool_result"',),
}
"""What stands in a prompt with a tool's result, if no letter is an escape: only then is the prompt looked into."""

_ESCAPED_LETTER: Final = re.compile(rb"\\u00[2-7]")
_UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class _Tool(Struct):
    type: str | None = None
    name: str | None = None
    function: dict[str, Raw] | None = None

    @property
    def is_own(self) -> bool:
        return self.type in _OWN_TOOLS or (self.type is None and bool(self.name or self.function))


class _Block(Struct):
    type: str | None = None


class _Turn(Struct):
    role: str | None = None
    type: str | None = None
    content: str | list[_Block] | None = None


_TOOLS: Final[msgspec.json.Decoder[list[_Tool] | None]] = msgspec.json.Decoder(list[_Tool] | None)
_TURNS: Final[msgspec.json.Decoder[str | list[_Turn] | None]] = msgspec.json.Decoder(str | list[_Turn] | None)
_NUMBER: Final[msgspec.json.Decoder[int | float | None]] = msgspec.json.Decoder(int | float | None)


def not_cached(operation: Operation, fields: Mapping[str, Raw], rule: CacheRule | None) -> NotCached | None:
    """Why a question is not cached; None where it is looked up, and its answer stored if it is a good one.

    ``fields`` is the top level of its body. Embeddings are deterministic by nature.
    """
    if rule is None:
        return "off"
    if operation == "embeddings":
        return "linked" if _has_link(bytes(fields.get("input", b""))) else None
    for name, why in _NEVER[operation].items():
        if name in fields and _given(fields, name):
            return why
    try:
        return next(_beyond_flags(operation, fields, rule), None)
    except _UNREADABLE:
        return "unreadable"


def _beyond_flags(operation: Operation, fields: Mapping[str, Raw], rule: CacheRule) -> Iterator[NotCached]:
    """Every reason that takes reading a value, the cheapest first."""
    if _number(fields, "n") not in (None, 1):
        yield "several_answers"
    if _asks_logprobs(operation, fields):
        yield "logprobs"
    if "modalities" in fields and b"audio" in bytes(fields["modalities"]):
        yield "audio"
    if operation == "responses" and bytes(fields.get("store", b"true")) != b"false":
        yield "stored"  # what OpenAI does where the field is missing
    if not (rule.always or _is_deterministic(operation, fields, rule.max_temperature)):
        yield "not_deterministic"
    if "tools" in fields and not all(tool.is_own for tool in _TOOLS.decode(fields["tools"]) or ()):
        yield "provider_tools"
    prompt = fields.get("input" if operation == "responses" else "messages")
    if prompt is not None:
        yield from _beyond_prompt(operation, bytes(prompt), rule)


def _beyond_prompt(operation: Operation, prompt: bytes, rule: CacheRule) -> Iterator[NotCached]:
    """Every reason that a prompt itself gives."""
    if _has_link(prompt):
        yield "linked"
    if operation == "responses" and prompt.rfind(b'"item_reference"') >= 0:
        yield "remembered"
    if not rule.pure_tools and _has_tool_results(prompt, _RESULT_SIGNS.get(operation, ())):
        yield "tool_results"


def _is_deterministic(operation: Operation, fields: Mapping[str, Raw], max_temperature: float) -> bool:
    """Whether the client fixed its seed, or stated a temperature of no more than this."""
    if operation in _SEEDED and _number(fields, "seed") is not None:
        return True
    temperature = _number(fields, "temperature")
    return temperature is not None and 0 <= temperature <= max_temperature


def _asks_logprobs(operation: Operation, fields: Mapping[str, Raw]) -> bool:
    """Legacy completions ask by a number, of which 0 is one; responses by a word in ``include``."""
    if operation == "completions":
        return _number(fields, "logprobs") is not None
    return operation == "responses" and "include" in fields and b"logprobs" in bytes(fields["include"])


def _has_link(prompt: bytes) -> bool:
    """Whether something in it is at an address. Two quick looks rule most prompts out."""
    return (prompt.rfind(b'rl"') >= 0 or prompt.rfind(b'"http') >= 0) and _LINK.search(prompt) is not None


def _has_tool_results(prompt: bytes, signs: tuple[bytes, ...]) -> bool:
    escaped = prompt.find(b"\\") >= 0 and _ESCAPED_LETTER.search(prompt)
    if not escaped and not any(prompt.rfind(sign) >= 0 for sign in signs):
        return False
    turns = _TURNS.decode(prompt)
    return isinstance(turns, list) and any(map(_is_tool_result, turns))


def _is_tool_result(turn: _Turn) -> bool:
    """A chat's turn of a tool, an item with a tool's output, or an Anthropic turn with a result in it."""
    if turn.role in ("tool", "function") or (turn.type or "").endswith("_output"):
        return True
    blocks = turn.content if isinstance(turn.content, list) else ()
    return any((block.type or "").endswith("tool_result") for block in blocks)


def _given(fields: Mapping[str, Raw], name: str) -> bool:
    return bytes(fields[name]) not in _NOTHING


def _number(fields: Mapping[str, Raw], name: str) -> Any:
    return _NUMBER.decode(fields[name]) if name in fields else None
