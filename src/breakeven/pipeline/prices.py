"""What a deployment charges now: its card of the catalogue, list and negotiated, turned into whole nano-dollars."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, NamedTuple

from msgspec import Struct, structs

from breakeven.catalog.price_card import PriceCard
from breakeven.catalog.pricing import RowPricer
from breakeven.catalog.usage import Usage
from breakeven.errors import Unpriced

_KEPT_NS: Final = 60 * 1_000_000_000
"""A card is looked up once a minute: prices that depend on the hour or day change on whole minutes."""

_UNCACHED: Final = {
    "cache_read_tokens": 0,
    "cache_write_5m_tokens": 0,
    "cache_write_1h_tokens": 0,
    "cache_read_audio_tokens": 0,
}


class Cards(NamedTuple):
    """The published price and the one that is paid; the same card where nothing was negotiated."""

    published: PriceCard
    paid: PriceCard


Lookup = Callable[[datetime, str], Cards]
"""The cards of one deployment at a moment.

Raises:
    InputError: it has no price then, or none for this processing.
"""


class RowCost(Struct, frozen=True, gc=False):
    """One row's money in nano-dollars, and where its price comes from."""

    list_nano_usd: int
    effective_nano_usd: int
    source: str
    checked_on: str


class _Pricers(Struct, frozen=True):
    published: RowPricer
    paid: RowPricer
    until_ns: int
    checked_on: str


def _listed(published: RowPricer, usage: Usage, paid_nano_usd: int) -> int:
    """The cost at published prices; what is paid, where the list has no price of some kind and the contract has."""
    try:
        return published.nano_usd(usage)
    except Unpriced:
        return paid_nano_usd


def _longer(usage: Usage, more_tokens: int) -> Usage:
    """A usage with more input, of which as large a share is read from a cache and written to it."""
    total = max(usage.input_tokens, 1)
    parts = usage.cache_read_tokens, usage.cache_write_5m_tokens, usage.cache_write_1h_tokens
    read, written_5m, written_1h = (part + part * more_tokens // total for part in parts)
    return structs.replace(
        usage,
        input_tokens=usage.input_tokens + more_tokens,
        cache_read_tokens=read,
        cache_write_5m_tokens=written_5m,
        cache_write_1h_tokens=written_1h,
    )


class TargetPrices:
    """The prices of one deployment over time."""

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup
        self._current: dict[str, _Pricers] = {}

    def cost(self, usage: Usage, at_ns: int, processing: str = "standard") -> RowCost:
        """What one request with this usage costs at a moment.

        Raises:
            InputError: no price covers it.
        """
        pricers = self._at(at_ns, processing)
        paid = pricers.paid.nano_usd(usage)
        published = paid if pricers.published is pricers.paid else _listed(pricers.published, usage, paid)
        return RowCost(published, paid, pricers.paid.card.source, pricers.checked_on)

    def prompt_cache_saved_nano_usd(self, usage: Usage, at_ns: int, processing: str = "standard") -> int:
        """What the input would have cost with nothing of it read from or written to a cache, less what it cost.

        Raises:
            InputError: no price covers it.
        """
        if not (usage.cache_read_tokens or usage.cache_write_5m_tokens or usage.cache_write_1h_tokens):
            return 0
        paid = self._at(at_ns, processing).paid
        return paid.nano_usd(structs.replace(usage, **_UNCACHED)) - paid.nano_usd(usage)

    def paid_nano_usd(self, usage: Usage, at_ns: int, processing: str = "standard") -> int:
        """`RowCost.effective_nano_usd` alone.

        Raises:
            InputError: no price covers it.
        """
        return self._at(at_ns, processing).paid.nano_usd(usage)

    def removed_nano_usd(self, usage: Usage, removed_tokens: int, at_ns: int, processing: str = "standard") -> int:
        """What input tokens that were not sent would have cost beside these, as much of them cached as of the others.

        Raises:
            InputError: no price covers it.
        """
        if not removed_tokens:
            return 0
        paid = self._at(at_ns, processing).paid
        return paid.nano_usd(_longer(usage, removed_tokens)) - paid.nano_usd(usage)

    def paid_card(self, at_ns: int, processing: str = "standard") -> PriceCard:
        """The card that is paid at a moment.

        Raises:
            InputError: there is none.
        """
        return self._at(at_ns, processing).paid.card

    def _at(self, at_ns: int, processing: str) -> _Pricers:
        current = self._current.get(processing)
        if current is None or at_ns >= current.until_ns:
            cards = self._lookup(datetime.fromtimestamp(at_ns / 1e9, UTC), processing)
            paid = RowPricer(cards.paid)
            published = paid if cards.published is cards.paid else RowPricer(cards.published)
            current = _Pricers(published, paid, (at_ns // _KEPT_NS + 1) * _KEPT_NS, paid.card.checked_on.isoformat())
            self._current[processing] = current
        return current
