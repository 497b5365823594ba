"""How providers cache prompts and are told to: dated facts by provider and model. What is not listed is not known."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Final, Literal, get_args

from breakeven.catalog.tables import Row, read_table

CacheControl = Literal["cache_control", "prompt_cache_breakpoint", "prompt_cache_key"]
"""What tells a provider about its cache: ``cache_control``, without which nothing is cached; a breakpoint beside those
that the provider sets itself; a key that only brings requests with a common beginning together."""

_SNAPSHOT: Final = re.compile(r"(-\d{8}|-\d{4}-\d\d-\d\d|-latest)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptCache:
    """A provider's prompt cache for some models; multipliers are of the price of a fresh input token.

    ``model`` is a name, which its dated snapshots have too, or what names begin with, then ``*``. ``long_ttl_s`` and
    ``long_write_multiplier`` are for what is kept longer, None where nothing is. ``lookback`` is how many boundaries
    before a mark are looked at, 0 where only marks are.
    """

    provider: str
    model: str
    control: CacheControl
    min_tokens: int
    ttl_s: float
    write_multiplier: float
    long_ttl_s: float | None
    long_write_multiplier: float | None
    read_multiplier: float
    max_marks: int
    lookback: int
    source: str
    checked_on: date

    def holds_for(self, model: str) -> bool:
        """Whether this is said of a model."""
        if self.model.endswith("*"):
            return model.startswith(self.model[:-1])
        return model.startswith(self.model) and _SNAPSHOT.fullmatch(model, len(self.model)) is not None


@cache
def prompt_caches() -> Sequence[PromptCache]:
    """All of them; of two that hold for a model, the first is right.

    Raises:
        CatalogError: a row of ``data/prompt_caches.csv`` is wrong.
    """
    return read_table("prompt_caches.csv", _prompt_cache)


def prompt_cache_of(provider: str, model: str) -> PromptCache | None:
    """What is known of a provider's cache for a model; None where nothing is.

    >>> prompt_cache_of("anthropic", "claude-sonnet-4-5-20250929").min_tokens
    1024
    """
    return next((each for each in prompt_caches() if each.provider == provider and each.holds_for(model)), None)


def _prompt_cache(row: Row) -> PromptCache:
    found = PromptCache(
        provider=row.text("provider"),
        model=row.text("model"),
        control=row.choice("control", get_args(CacheControl)),
        min_tokens=row.count("min_tokens"),
        ttl_s=row.number("ttl_s"),
        write_multiplier=row.number("write_multiplier"),
        long_ttl_s=row.optional_number("long_ttl_s"),
        long_write_multiplier=row.optional_number("long_write_multiplier"),
        read_multiplier=row.number("read_multiplier"),
        max_marks=row.count("max_marks"),
        lookback=row.count("lookback"),
        source=row.text("source"),
        checked_on=row.date("checked_on"),
    )
    if found.read_multiplier > found.write_multiplier or (found.long_ttl_s is None) != (
        found.long_write_multiplier is None
    ):
        raise row.wrong("reading cannot be dearer than writing, and a longer life has a price of its own")
    return found
