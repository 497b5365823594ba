"""Which beginnings of a prompt are worth writing to a provider's cache: the values that this is decided on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class Prefix(NamedTuple):
    """A beginning of a prompt that could be marked: what it is, and how many tokens it has from the very first on."""

    digest: bytes
    tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptCacheRule:
    """How a provider bills its prompt cache. The multipliers are of the price of a fresh input token.

    A prefix of fewer than ``min_tokens`` is not cached; what was written is kept for ``ttl_s``, anew with each read.
    ``lookback`` is how many boundaries back from a mark the provider looks for what it has.
    """

    write_multiplier: float
    read_multiplier: float
    ttl_s: float
    min_tokens: int
    max_marks: int = 4
    lookback: int = 20
