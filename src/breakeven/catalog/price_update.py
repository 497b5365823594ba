"""Refresh the price list from its publisher, and keep it for the next run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

import httpx2
from genai_prices.data_snapshot import DataSnapshot
from genai_prices.update_prices import DEFAULT_UPDATE_URL

from breakeven.catalog import genai_source, hosted, price_store
from breakeven.catalog.price_card import PriceCard
from breakeven.errors import Unavailable

TIMEOUT_S: Final = 20.0
"""How long the publisher may take to answer, seconds."""

LEAST_MODELS_FRAC: Final = 0.5
"""A list with fewer than this share of the models known now is a broken answer, and is refused."""

Cards = Mapping[str, PriceCard]


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceChange:
    """A label whose price today changed; ``before`` is None for a new one, ``after`` for one that is gone."""

    label: str
    before: PriceCard | None
    after: PriceCard | None


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateReport:
    """What an update brought, and the file in which it is kept."""

    source: str
    models_before: int
    models_after: int
    changes: tuple[PriceChange, ...]
    path: Path


def update(url: str = DEFAULT_UPDATE_URL) -> UpdateReport:
    """Fetch the current price list, keep it, and price with it from now on.

    Raises:
        Unavailable: there is no network, or what came back is no price list; the known prices stay in use.
    """
    day = datetime.now(UTC).date()
    before, models_before = _cards_today(day), _model_count(genai_source.snapshot())
    content = _fetched(url)
    models_after = _model_count(_parsed(content, at_least=int(models_before * LEAST_MODELS_FRAC)))
    place = price_store.write(content)
    hosted.forget()
    return UpdateReport(
        source=genai_source.source(),
        models_before=models_before,
        models_after=models_after,
        changes=_changes(before, _cards_today(day)),
        path=place,
    )


def _fetched(url: str) -> bytes:
    try:
        response = httpx2.get(url, timeout=TIMEOUT_S, follow_redirects=True)
        response.raise_for_status()
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise Unavailable(
            "the price list could not be fetched",
            cause=f"{type(error).__name__}: {error}",
            hint="the installed prices stay in use; run breakeven catalog update again where there is a network",
        ) from error
    return response.content


def _parsed(content: bytes, at_least: int) -> DataSnapshot:
    try:
        snapshot = price_store.parse(content)
    except ValueError as error:
        raise _broken(str(error).partition("\n")[0]) from error
    if _model_count(snapshot) < at_least:
        raise _broken(f"it has {_model_count(snapshot)} models, and {at_least} are the least to be believed")
    return snapshot


def _broken(cause: str) -> Unavailable:
    return Unavailable(
        "what was fetched is no price list",
        cause=cause,
        hint="the installed prices stay in use; run breakeven catalog update again later",
    )


def _model_count(snapshot: DataSnapshot) -> int:
    return sum(len(provider.models) for provider in snapshot.providers)


def _cards_today(day: date) -> Cards:
    return {card.label: card for card in genai_source.all_cards() if card.valid_on(day)}


def _changes(before: Cards, after: Cards) -> tuple[PriceChange, ...]:
    changes = (
        PriceChange(label=label, before=before.get(label), after=after.get(label)) for label in {**before, **after}
    )
    return tuple(change for change in changes if _prices(change.before) != _prices(change.after))


def _prices(card: PriceCard | None) -> object:
    return None if card is None else (card.tiers, card.usd_per_request, card.refusal)
