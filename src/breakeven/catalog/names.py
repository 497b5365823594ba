"""Names of hosted models and their providers, as people and other tools write them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Final

PROVIDER_ALIASES: Final[Mapping[str, str]] = {
    "amazon": "aws",
    "amazon-bedrock": "aws",
    "aws-bedrock": "aws",
    "azure-openai": "azure",
    "azure_ai": "azure",
    "azure_openai": "azure",
    "bedrock": "aws",
    "cohere_chat": "cohere",
    "copilot": "github-copilot",
    "fireworks-ai": "fireworks",
    "fireworks_ai": "fireworks",
    "gemini": "google",
    "google-vertex": "google",
    "mistral-ai": "mistral",
    "mistralai": "mistral",
    "moonshot": "moonshotai",
    "together-ai": "together",
    "together_ai": "together",
    "togetherai": "together",
    "vertex": "google",
    "vertex_ai": "google",
    "vertexai": "google",
    "voyage": "voyageai",
    "xai": "x-ai",
    "z-ai": "zai",
    "zhipu": "zhipuai",
}
"""Other names of a provider, in lower case: those of LiteLLM, OpenRouter and the clouds' own tools."""

_ROUTES: Final = ("models/", "publishers/google/models/", "accounts/fireworks/models/")
_BEDROCK: Final = re.compile(
    r"^(?:(?:us|eu|apac|au|jp|in|ca|sa|us-gov|global|regional)\.)?"
    r"(?:ai21|amazon|anthropic|cohere|deepseek|google|luma|meta|minimax|mistral|moonshot|moonshotai|nvidia|openai|qwen"
    r"|stability|twelvelabs|writer|zai)\.(?=[a-z])"
)
_DECORATION: Final = re.compile(
    r"(?:[-@:._]?(?:\d{4}-\d{2}-\d{2}|\d{8}|\d{6}|\d{3,4}|\d{2}-\d{2,4}|v\d+(?::\d+)?|latest|preview|exp|experimental"
    r"|beta|default|it|instruct)(?=$|[-@:._]))*"
)
_COMPACT_DATE: Final = re.compile(r"-(20\d{2})(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(?=-|:|$)")


def provider_id(name: str, known: Iterable[str]) -> str | None:
    """The provider that a name means, whatever its case; None for an unknown one."""
    lower = name.strip().lower()
    wanted = PROVIDER_ALIASES.get(lower, lower)
    return wanted if wanted in set(known) else None


def split_processing(name: str, known: Iterable[str]) -> tuple[str, str | None]:
    """A printed name such as ``openai/gpt-4o (batch)`` as the model and its processing, None where it has none."""
    model, parenthesis, rest = name.rpartition(" (")
    return (model, rest[:-1]) if parenthesis and rest.endswith(")") and rest[:-1] in set(known) else (name, None)


def is_bedrock_id(model: str) -> bool:
    """Whether a bare id has the vendor prefix that only Amazon Bedrock uses, such as ``us.anthropic.claude-...``."""
    return "/" not in model and _BEDROCK.match(model.lower()) is not None


def without_route(model: str) -> str:
    """The id without the path that an API puts before it, such as ``models/`` of Gemini."""
    lower = model.lower()
    return next((model[len(route) :] for route in _ROUTES if lower.startswith(route)), model)


def with_dashed_date(model: str) -> str:
    """The id with a compact date such as ``-20251211`` written as ``-2025-12-11``."""
    return _COMPACT_DATE.sub(r"-\1-\2-\3", model)


def is_decoration(suffix: str) -> bool:
    """Whether what follows a known model id only dates or versions it, so that the price is the known one's."""
    return _DECORATION.fullmatch(suffix) is not None


def is_route(prefix: str) -> bool:
    """Whether what precedes a known model id only says where it is served."""
    return not prefix or prefix[-1] in "/."


def folded(model: str) -> str:
    """The id in lower case with one kind of separator: ``claude-3.5-haiku`` and ``claude-3-5-haiku`` are one model."""
    return re.sub(r"[._@]", "-", model.lower())


def nearest(name: str, known: Iterable[str], count: int = 3) -> tuple[str, ...]:
    """The known names that look most like ``name``, best first, whatever their case."""
    by_lower = {candidate.lower(): candidate for candidate in known}
    return tuple(by_lower[match] for match in get_close_matches(name.lower(), by_lower, n=count, cutoff=0.6))
