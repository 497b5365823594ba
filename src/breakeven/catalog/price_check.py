"""Where price sources disagree, and which rows of the catalogue are stale."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import zip_longest
from typing import Final

from breakeven.catalog import genai_source, matching, overlay
from breakeven.catalog.edge_devices import edge_devices
from breakeven.catalog.offers import offers
from breakeven.catalog.price_card import PriceCard, PriceRates
from breakeven.catalog.quality import quality_scores
from breakeven.catalog.retirements import retirements

STALE_AFTER_DAYS: Final = 180
"""A row checked longer ago than this is reported as stale."""

KINDS: Final = ("input", "cache_read", "cache_write_5m", "cache_write_1h", "output")
"""The prices that are compared, each in US dollars per million tokens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """One source's price, US dollars per million tokens, and the day on which it stood."""

    source: str
    checked_on: date
    usd_per_mtok: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Disagreement:
    """One price that two sources state differently; ``model`` is the name as asked for, ``listed_as`` the id found."""

    provider: str
    model: str
    listed_as: str
    processing: str
    kind: str
    above_input_tokens: int
    ours: Quote
    other: Quote

    @property
    def ratio(self) -> Decimal | None:
        """Our price over the other source's, None where that is zero."""
        if not self.other.usd_per_mtok:
            return None
        return (self.ours.usd_per_mtok / self.other.usd_per_mtok).quantize(Decimal("0.001"))


@dataclass(frozen=True, slots=True, kw_only=True)
class StaleRows:
    """Rows of one table and source, checked on one day that is too long ago."""

    table: str
    source: str
    checked_on: date
    age_days: int
    rows: int
    example: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckReport:
    """``compared`` cards are priced by both sources, ``agreed`` of them equally; ``unmatched`` names only one has."""

    checked_at: date
    compared: int
    agreed: int
    unmatched: tuple[str, ...]
    disagreements: tuple[Disagreement, ...]
    stale: tuple[StaleRows, ...]


def check(at: date | None = None) -> CheckReport:
    """Hold the price sources against each other on a UTC day (default: today), and look for stale rows.

    A price that depends on the hour agrees if any hour's price does.

    Raises:
        CatalogError: a row of the catalogue breaks a rule.
    """
    day = at or datetime.now(UTC).date()
    disagreements: list[Disagreement] = []
    unmatched: list[str] = []
    compared = agreed = 0
    for other in overlay.cards().values():
        ours = _counterparts(other, day)
        if not ours:
            unmatched.append(other.label)
            continue
        differences = min((list(_differences(card, other)) for card in ours), key=len)
        compared, agreed = compared + 1, agreed + (not differences)
        disagreements += differences
    return CheckReport(
        checked_at=day,
        compared=compared,
        agreed=agreed,
        unmatched=tuple(unmatched),
        disagreements=tuple(disagreements),
        stale=tuple(stale_rows(day)),
    )


def stale_rows(day: date) -> Iterator[StaleRows]:
    """Rows checked more than `STALE_AFTER_DAYS` before a day, counted by table, source and date."""
    counts: dict[tuple[str, str, date], list[str]] = {}
    for table, source, checked_on, name in _dated_rows():
        if (day - checked_on).days > STALE_AFTER_DAYS:
            counts.setdefault((table, source, checked_on), []).append(name)
    for (table, source, checked_on), names in sorted(counts.items()):
        age_days = (day - checked_on).days
        yield StaleRows(
            table=table, source=source, checked_on=checked_on, age_days=age_days, rows=len(names), example=names[0]
        )


def _dated_rows() -> Iterator[tuple[str, str, date, str]]:
    """Table, source, day of the check and name of every dated row."""
    for card in (*genai_source.all_cards(), *overlay.cards().values()):
        yield "hosted prices", card.source, card.checked_on, card.label
    for retirement in retirements().values():
        yield "retirements", retirement.source, retirement.checked_on, f"{retirement.provider}/{retirement.model}"
    for offer in offers():
        yield "GPU offers", offer.source, offer.checked_on, f"{offer.provider}/{offer.instance}"
    for device in edge_devices().values():
        yield "edge devices", device.source, device.checked_on, device.name
    for score in quality_scores():
        yield "quality scores", score.source, score.checked_on, score.model


def _counterparts(other: PriceCard, day: date) -> tuple[PriceCard, ...]:
    """Our cards for what the other source prices: several where the price depends on the hour."""
    match = matching.match_in(other.provider, other.model)
    if match is None or match.priced_by != other.provider:
        return ()
    cards = genai_source.cards(match.provider, match.model)
    return tuple(card for card in cards if card.processing == other.processing and card.valid_on(day))


def _differences(ours: PriceCard, other: PriceCard) -> Iterator[Disagreement]:
    for above, our_rates, other_rates in _tiers_of_both(ours, other):
        for kind in KINDS:
            name = f"{kind}_usd_per_mtok"
            ours_usd, other_usd = getattr(our_rates, name), getattr(other_rates, name)
            if ours_usd is not None and other_usd is not None and ours_usd != other_usd:
                yield Disagreement(
                    provider=other.provider,
                    model=other.model,
                    listed_as=ours.model,
                    processing=other.processing,
                    kind=kind,
                    above_input_tokens=above,
                    ours=Quote(source=ours.source, checked_on=ours.checked_on, usd_per_mtok=ours_usd),
                    other=Quote(source=other.source, checked_on=other.checked_on, usd_per_mtok=other_usd),
                )


def _tiers_of_both(ours: PriceCard, other: PriceCard) -> Iterable[tuple[int, PriceRates, PriceRates]]:
    """The two cards' tiers in pairs; a source without a tier has its last lower one there.

    Tiers pair by position, because sources write the same cliff as 199,999 or as 200,000.
    """
    last = ours.tiers[0], other.tiers[0]
    for pair in zip_longest(ours.tiers, other.tiers):
        last = pair[0] or last[0], pair[1] or last[1]
        yield max(rates.above_input_tokens for rates in last), *last
