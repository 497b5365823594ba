"""Which beginnings of a prompt are worth writing to a provider's cache: the values that this is decided on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class Prefix(NamedTuple):
    """A beginning of a prompt that could be marked: what it is, and how many tokens it has from the very first on."""

    digest: bytes
    tokens: int


class Marks(NamedTuple):
    """Where to mark a prompt, and what the provider should then bill.

    ``boundaries`` are indexes into the request's prefixes, ascending; empty is "send it without marks". Of the input,
    ``read_tokens`` should come from the cache and ``written_tokens`` should be written to it; the rest is fresh.
    """

    boundaries: tuple[int, ...] = ()
    read_tokens: int = 0
    written_tokens: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptCacheRule:
    """How a provider bills its prompt cache. The multipliers are of the price of a fresh input token.

    A prefix of fewer than ``min_tokens`` is not cached; what was written is kept for ``ttl_s``, anew with each read.
    ``lookback`` is how many boundaries back from a mark the provider looks for what it has; None is a cache in which
    every boundary below a mark can be read, whatever else was marked (token blocks, as in published traces).
    ``max_marks`` is at least 2: one for what is read, one for what is written.
    """

    write_multiplier: float
    read_multiplier: float
    ttl_s: float
    min_tokens: int
    max_marks: int = 4
    lookback: int | None = 20

    @property
    def premium(self) -> float:
        """What writing a token costs beyond sending it."""
        return self.write_multiplier - 1

    @property
    def discount(self) -> float:
        """What reading a token saves against sending it."""
        return 1 - self.read_multiplier
