"""Whose prices a deployment is charged at: negotiated, published, or stated for its upstream; never none."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Final
from urllib.parse import urlsplit

from breakeven.catalog.hosted import find_card
from breakeven.catalog.negotiated import PriceConfig
from breakeven.catalog.price_card import PROCESSINGS, PriceCard, PriceRates
from breakeven.errors import UnknownName
from breakeven.gateway.config import ECHO, UpstreamConfig
from breakeven.pipeline.prices import Cards, Lookup

ECHO_PRICED_AS: Final = "openai/gpt-4o-mini"
"""The echo model costs what a small hosted model costs, so that spend and budgets can be tried."""

_HOSTS: Final = {
    "api.openai.com": "openai",
    "api.anthropic.com": "anthropic",
    "generativelanguage.googleapis.com": "google",
    "api.mistral.ai": "mistral",
    "api.groq.com": "groq",
    "api.fireworks.ai": "fireworks",
    "api.together.xyz": "together",
    "api.together.ai": "together",
    "api.deepseek.com": "deepseek",
    "openrouter.ai": "openrouter",
    "api.x.ai": "x-ai",
    "api.cohere.com": "cohere",
    "api.perplexity.ai": "perplexity",
    "api.cerebras.ai": "cerebras",
    "api.moonshot.ai": "moonshotai",
}
_HOST_ENDINGS: Final = {".openai.azure.com": "azure", ".services.ai.azure.com": "azure", ".amazonaws.com": "aws"}


def provider_of(upstream: UpstreamConfig) -> str:
    """Who is paid, by the configuration or the host; empty where neither says so."""
    if upstream.provider or upstream.wire == "echo":
        return upstream.provider or ECHO
    host = urlsplit(upstream.url).hostname or ""
    if host in _HOSTS:
        return _HOSTS[host]
    return next((provider for ending, provider in _HOST_ENDINGS.items() if host.endswith(ending)), "")


def price_lookup(upstream: UpstreamConfig, model: str, prices: PriceConfig) -> Lookup:
    """How the cards of a model at an upstream are found, at each moment anew.

    A price of the configuration wins, then the published one of the provider (of the model's maker, where the provider
    is not known), then the price stated for the upstream.
    """
    provider = provider_of(upstream)

    def lookup(moment: datetime, processing: str) -> Cards:
        own = prices.card_named(model, provider or upstream.name, processing, moment.date())
        if own is not None and not provider:
            return Cards(own, own)
        try:
            return _published(upstream, model, provider, processing, moment, prices)
        except UnknownName:
            if own is not None:
                return Cards(own, own)
            stated = _stated(upstream, model, processing, moment)
            if stated is None:
                raise
            return Cards(stated, stated)

    return lookup


def _published(
    upstream: UpstreamConfig, model: str, provider: str, processing: str, moment: datetime, prices: PriceConfig
) -> Cards:
    if upstream.wire == "echo":
        return _echo(model, processing, moment)
    published = find_card(model, provider=provider or None, processing=processing, at=moment)
    paid = find_card(model, provider=provider or None, processing=processing, at=moment, config=prices)
    return Cards(published, published if paid == published else paid)


def _echo(model: str, processing: str, moment: datetime) -> Cards:
    """The echo answers under any name: its own is priced as a small model, a listed one as that model."""
    if model != ECHO:
        card = find_card(model, processing=processing, at=moment)
        return Cards(card, card)
    like = find_card(ECHO_PRICED_AS, at=moment)
    card = replace(like, provider=ECHO, model=ECHO, source=f"the built-in echo model, priced as {ECHO_PRICED_AS}")
    return Cards(card, card)


def _stated(upstream: UpstreamConfig, model: str, processing: str, moment: datetime) -> PriceCard | None:
    """The price that the configuration states for whatever an upstream serves."""
    known = next((each for each in PROCESSINGS if each == processing), None)
    if known is None or (upstream.input_usd_per_mtok is None and upstream.output_usd_per_mtok is None):
        return None
    rates = PriceRates(
        input_usd_per_mtok=upstream.input_usd_per_mtok or Decimal(0),
        output_usd_per_mtok=upstream.output_usd_per_mtok or Decimal(0),
    )
    return PriceCard(
        provider=upstream.provider or upstream.name,
        model=model,
        processing=known,
        tiers=(rates,),
        checked_on=moment.date(),
        source=f"stated for the upstream {upstream.name}",
    )
