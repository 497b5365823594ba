"""Hosted models that their provider has stopped serving, or will: a price list keeps their prices, a plan must not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from functools import cache

from breakeven.catalog.price_card import PriceCard
from breakeven.catalog.tables import Row, read_table


@dataclass(frozen=True, slots=True, kw_only=True)
class Retirement:
    """From ``retires_on`` on, a provider answers requests to a model with an error, or with another model."""

    provider: str
    model: str
    retires_on: date
    source: str
    checked_on: date


@cache
def retirements() -> Mapping[tuple[str, str], Retirement]:
    """Every known retirement, past or announced, by provider and listed model id.

    Raises:
        CatalogError: a row of ``data/price_retirements.csv`` is wrong.
    """
    rows = read_table("price_retirements.csv", _retirement)
    return {(row.provider, row.model): row for row in rows}


def with_retirement(card: PriceCard, day: date) -> PriceCard:
    """The card with ``retired_on`` set where that day has come, and a note where it is known at all."""
    found = retirements().get((card.provider, card.model))
    if found is None:
        return card
    retired = found.retires_on <= day
    said = f"{'retired' if retired else 'to be retired'} on {found.retires_on} ({found.source})"
    return replace(
        card,
        retired_on=found.retires_on if retired else None,
        note="; ".join(filter(None, (card.note, said))),
    )


def _retirement(row: Row) -> Retirement:
    return Retirement(
        provider=row.text("provider"),
        model=row.text("model"),
        retires_on=row.date("retires_on"),
        source=row.text("source"),
        checked_on=row.date("checked_on"),
    )
