"""How each provider caches the beginnings of prompts: by whose control, from what length on, how long, at what price.

The rows of ``data/prompt_caching.csv`` are dated and sourced. A blank cell is not published. What a token costs that
is written or read comes from the price cards where they have it; the rows' multipliers of a fresh token's price stand
in elsewhere, and a test holds the two to each other.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Final, Literal, get_args

from breakeven.catalog import names
from breakeven.catalog.hosted import find_cards
from breakeven.catalog.model_names import canonical_model_name
from breakeven.catalog.price_card import PriceRates
from breakeven.catalog.tables import Row, read_table
from breakeven.errors import InputError, UnknownName

Control = Literal["explicit", "automatic", "key", "context"]
"""By marks in the request; by the provider alone; by a key in the request; as an object that is made beforehand."""

Ttl = Literal["5m", "30m", "1h"]

TTL_S: Final[Mapping[Ttl, float]] = {"5m": 300.0, "30m": 1_800.0, "1h": 3_600.0}
"""Seconds for which each published life keeps what was written."""

_TTLS: Final[tuple[Ttl, ...]] = ("5m", "30m", "1h")


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptCaching:
    """One provider's prompt cache for a model, or for those that begin as ``model`` does up to its star.

    The multipliers are of the price of a fresh input token; ``write_multipliers`` has a life only where it is offered.
    None is "not published".
    """

    provider: str
    model: str
    control: Control
    min_tokens: int | None
    write_multipliers: Mapping[Ttl, Decimal]
    read_multiplier: Decimal | None
    max_marks: int | None
    lookback: int | None
    source: str
    checked_on: datetime.date
    note: str

    def covers(self, provider: str, model: str) -> bool:
        """Whether the row is of this provider and of this model, under its canonical name."""
        beginning, star, _ = self.model.partition("*")
        return self.provider == provider and (model.startswith(beginning) if star else model == beginning)


@dataclass(frozen=True, slots=True, kw_only=True)
class CachePrices:
    """What a written and a read token cost, as multiples of a fresh one."""

    write_multiplier: Decimal
    read_multiplier: Decimal


@cache
def prompt_caching_rows() -> tuple[PromptCaching, ...]:
    """Every row.

    Raises:
        CatalogError: a row breaks a rule; names the file and the line.
    """
    return read_table("prompt_caching.csv", _row)


def prompt_caching(provider: str, model: str) -> PromptCaching:
    """How a provider caches prompts for a model, under any of its names; the most specific row.

    Raises:
        UnknownName: no row covers it; the hint names the nearest.
    """
    rows = prompt_caching_rows()
    seller = names.provider_id(provider, {row.provider for row in rows})
    canonical = canonical_model_name(model)
    found = [row for row in rows if seller is not None and row.covers(seller, canonical)]
    if not found:
        raise _unknown(provider, model)
    return max(found, key=lambda row: len(row.model))


def cache_prices(provider: str, model: str, ttl: Ttl, at: datetime.date) -> CachePrices:
    """What writing for ``ttl`` and reading cost at a provider on a day: from its price card, else from the row.

    Raises:
        UnknownName: neither the catalogue nor the table has the model, or the life is not offered.
        InputError: neither says what a read costs.
    """
    row = prompt_caching(provider, model)
    if ttl not in row.write_multipliers:
        offered = ", ".join(row.write_multipliers) or "none that is published"
        raise UnknownName(f"{row.provider} does not keep {model} for {ttl}", cause=f"offered: {offered}")
    rates = _rates(row.provider, model, at)
    write, read = _written_usd(rates, ttl), rates.cache_read_usd_per_mtok if rates else None
    fresh = rates.input_usd_per_mtok if rates else None
    read_multiplier = read / fresh if read is not None and fresh else row.read_multiplier
    if read_multiplier is None:
        raise InputError(f"no source says what {row.provider} bills for reading {model} from its cache", hint=_HINT)
    write_multiplier = write / fresh if write is not None and fresh else row.write_multipliers[ttl]
    return CachePrices(write_multiplier=write_multiplier, read_multiplier=read_multiplier)


_HINT: Final = "name a model whose price card has a cache read price, see `breakeven catalog show`"


def _rates(provider: str, model: str, at: datetime.date) -> PriceRates | None:
    """The first tier of the model's card on a day; None where the catalogue does not price it."""
    try:
        return find_cards(model, provider=provider, at=at)[0].tiers[0]
    except UnknownName:
        return None


def _written_usd(rates: PriceRates | None, ttl: Ttl) -> Decimal | None:
    if rates is None:
        return None
    return rates.cache_write_1h_usd_per_mtok if ttl == "1h" else rates.cache_write_5m_usd_per_mtok


def _unknown(provider: str, model: str) -> UnknownName:
    known = [f"{row.provider}/{row.model}" for row in prompt_caching_rows()]
    nearest = names.nearest(f"{provider}/{canonical_model_name(model)}", known)
    return UnknownName(
        f"how {provider} caches prompts for {model} is not recorded",
        hint=f"nearest: {', '.join(nearest or known[:3])}",
    )


def _row(row: Row) -> PromptCaching:
    writes = {ttl: row.amount(f"write_{ttl}") for ttl in _TTLS if row.optional_text(f"write_{ttl}")}
    return PromptCaching(
        provider=row.text("provider"),
        model=row.text("model"),
        control=row.choice("control", get_args(Control)),
        min_tokens=_optional_count(row, "min_tokens"),
        write_multipliers=writes,
        read_multiplier=row.optional_amount("read"),
        max_marks=_optional_count(row, "max_marks"),
        lookback=_optional_count(row, "lookback"),
        source=row.text("source"),
        checked_on=row.date("checked_on"),
        note=row.optional_text("note"),
    )


def _optional_count(row: Row, column: str) -> int | None:
    return row.count(column) if row.optional_text(column) else None
