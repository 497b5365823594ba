"""The price that a trace is billed at, where its requests do not say which model they are for."""

from __future__ import annotations

from datetime import date, datetime
from typing import Final

from breakeven.catalog.evidence import Assumption
from breakeven.catalog.hosted import find_card, matching_cards
from breakeven.catalog.negotiated import PriceConfig
from breakeven.catalog.price_card import PriceCard
from breakeven.errors import InputError

DEFAULT_PROVIDER: Final = "anthropic"
DEFAULT_MODELS: Final = {
    "anthropic": "claude-sonnet-5",
    "openai": "gpt-6-sol",
    "google": "gemini-3.8-flash",
    "mistral": "mistral-medium-latest",
    "x-ai": "grok-4.7",
}
"""The model that stands for a provider where none is named, November 2026: of the middle of its range."""


def billed_card(
    model: str | None, provider: str | None, at: date | datetime, prices: PriceConfig
) -> tuple[PriceCard, Assumption]:
    """The price card of the model that was named, or of the provider's default, and the assumption that says so.

    Raises:
        UnknownName: no such model or provider.
        AmbiguousName: several providers sell the model, or its price depends on the hour.
        InputError: a provider without a default, and no model.
    """
    if model is not None:
        card = find_card(model, provider=provider, at=at, config=prices)
        return card, _assumption(card, "as it was asked for")
    day = at.date() if isinstance(at, datetime) else at
    sold = matching_cards((), day, provider=provider or DEFAULT_PROVIDER, processing="standard", config=prices)
    named = sold[0].provider if sold else str(provider)
    if named not in DEFAULT_MODELS:
        raise InputError(
            f"which model of {named}?",
            cause=f"only {', '.join(DEFAULT_MODELS)} have a default",
            hint=f"--model MODEL; `breakeven catalog show --provider {named}` lists them",
        )
    card = find_card(DEFAULT_MODELS[named], provider=named, at=at, config=prices)
    return card, _assumption(card, "no model was named: --model MODEL prices another")


def _assumption(card: PriceCard, source: str) -> Assumption:
    return Assumption(name="billed_model", value=card.label, unit="", basis="assumed", source=source)
