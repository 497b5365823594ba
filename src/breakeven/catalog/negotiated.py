"""Prices of the user's own: negotiated per-token prices, and throughput bought by the month."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from breakeven import units
from breakeven.catalog.names import nearest
from breakeven.catalog.price_card import PROCESSINGS, RATE_FIELDS, PriceCard, PriceRates, Processing
from breakeven.errors import ConfigError

_PRICE_KEYS: Final = (
    "provider",
    "model",
    "processing",
    *RATE_FIELDS,
    "usd_per_request",
    "context_window_tokens",
    "valid_from",
    "valid_to",
    "source",
)
_UNIT_RATES: Final = ("tokens_per_s_per_unit", "input_tokens_per_min_per_unit", "output_tokens_per_min_per_unit")
_PROVISIONED_KEYS: Final = (
    "label",
    "provider",
    "model",
    "usd_per_month_per_unit",
    "usd_per_h_per_unit",
    *_UNIT_RATES,
    "min_units",
    "source",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NegotiatedPrice:
    """One ``[[prices]]`` table: prices that replace published ones, US dollars per million tokens.

    A kind that the table leaves out keeps its published price. A model that no price list has is priced by the
    table alone.
    """

    provider: str
    model: str
    processing: Processing
    rates: PriceRates
    usd_per_request: Decimal | None
    context_window_tokens: int | None
    valid_from: date | None
    valid_to: date | None
    source: str

    def names(self, provider: str, model: str, processing: str) -> bool:
        """Whether this price is for a model at a provider, in any case of letters."""
        wanted = (provider.lower(), model.lower(), processing)
        return wanted == (self.provider.lower(), self.model.lower(), self.processing)

    def valid_on(self, day: date) -> bool:
        """Whether the price is in force on a UTC day."""
        return (self.valid_from is None or self.valid_from <= day) and (self.valid_to is None or day < self.valid_to)

    def card(self, day: date) -> PriceCard:
        """The price as a card of its own."""
        return PriceCard(
            provider=self.provider,
            model=self.model,
            processing=self.processing,
            tiers=(self.rates,),
            usd_per_request=self.usd_per_request,
            context_window_tokens=self.context_window_tokens,
            valid_from=self.valid_from,
            valid_to=self.valid_to,
            checked_on=self.valid_from or day,
            source=self.source,
        )

    def over(self, card: PriceCard, day: date) -> PriceCard:
        """A published card with these prices in place of its own, in every tier."""
        stated: dict[str, Any] = {name: usd for name in RATE_FIELDS if (usd := getattr(self.rates, name)) is not None}
        return replace(
            card,
            tiers=tuple(replace(rates, **stated) for rates in card.tiers or (PriceRates(),)),
            usd_per_request=card.usd_per_request if self.usd_per_request is None else self.usd_per_request,
            context_window_tokens=self.context_window_tokens or card.context_window_tokens,
            checked_on=self.valid_from or day,
            source=self.source,
            refusal="",
            note=f"negotiated; kinds that the contract leaves out are as in {card.source}",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvisionedThroughput:
    """One ``[[provisioned]]`` table: a fixed monthly price for a stated rate, bought in whole units.

    Either ``tokens_per_s_per_unit`` counts input and output tokens together, or the two per-minute rates bound
    input and output apart; the unused ones are None.
    """

    label: str
    provider: str
    model: str
    usd_per_month_per_unit: Decimal
    tokens_per_s_per_unit: Decimal | None
    input_tokens_per_min_per_unit: Decimal | None
    output_tokens_per_min_per_unit: Decimal | None
    min_units: int
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceConfig:
    """All prices of the user's own; empty where the configuration states none."""

    prices: tuple[NegotiatedPrice, ...] = ()
    provisioned: tuple[ProvisionedThroughput, ...] = ()

    def applied_to(self, card: PriceCard, day: date) -> PriceCard:
        """The card with the negotiated prices in force on a day, or the card itself."""
        own = self._find(card.provider, card.model, card.processing, day)
        return card if own is None else own.over(card, day)

    def applied(self, cards: Sequence[PriceCard], day: date) -> tuple[PriceCard, ...]:
        """A catalogue with every negotiated price in it: in place of a published one, or as a card of its own."""
        if not self.prices:
            return tuple(cards)
        listed = {(card.provider.lower(), card.model.lower(), card.processing) for card in cards}
        added = tuple(
            own.card(day)
            for own in self.prices
            if own.valid_on(day) and (own.provider.lower(), own.model.lower(), own.processing) not in listed
        )
        return tuple(self.applied_to(card, day) for card in cards) + added

    def card_named(self, model: str, provider: str | None, processing: str, day: date) -> PriceCard | None:
        """A negotiated card asked for by its exact name, for a model that no price list has."""
        head, _, tail = model.partition("/")
        own = self._find(*((head, tail) if provider is None else (provider, model)), processing, day)
        return None if own is None else own.card(day)

    def _find(self, provider: str, model: str, processing: str, day: date) -> NegotiatedPrice | None:
        matching = [own for own in self.prices if own.names(provider, model, processing) and own.valid_on(day)]
        return matching[-1] if matching else None


def read_price_config(tables: Mapping[str, Any]) -> PriceConfig:
    """Read ``[[prices]]`` and ``[[provisioned]]`` of a parsed configuration; other tables are not looked at.

    Raises:
        ConfigError: an entry misses something, has an unknown key, or a value that cannot be meant.
    """
    return PriceConfig(
        prices=tuple(_negotiated(entry) for entry in _entries(tables, "prices", _PRICE_KEYS)),
        provisioned=tuple(_provisioned(entry) for entry in _entries(tables, "provisioned", _PROVISIONED_KEYS)),
    )


@dataclass(frozen=True, slots=True)
class _Entry:
    """One table with the words to complain about it."""

    name: str
    values: Mapping[str, Any]

    def error(self, problem: str, hint: str) -> ConfigError:
        return ConfigError(f"{self.name}: {problem}", hint=hint)

    def text(self, key: str, default: str | None = None) -> str:
        value = self.values.get(key, default)
        if not isinstance(value, str) or not value.strip():
            raise self.error(f"{key} is missing or not a text", f'write {key} = "..."')
        return value.strip()

    def amount(self, key: str) -> Decimal | None:
        """An exact amount of at least 0; a TOML float counts as the digits that were written."""
        value = self.values.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
            raise self.error(f"{key} is not a number", f"write {key} = 1.25")
        try:
            amount = Decimal(str(value))
        except InvalidOperation as error:
            raise self.error(f"{key} is not a number: {value!r}", f"write {key} = 1.25") from error
        if not amount.is_finite() or amount < 0:
            raise self.error(f"{key} must be a finite amount of at least 0, not {value}", f"write {key} = 1.25")
        return amount

    def count(self, key: str, default: int | None) -> int | None:
        value = self.values.get(key, default)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
            raise self.error(f"{key} must be a whole number of at least 1, not {value!r}", f"write {key} = 1")
        return value

    def day(self, key: str) -> date | None:
        value = self.values.get(key)
        try:
            return date.fromisoformat(value) if isinstance(value, str) else _plain_date(value)
        except (TypeError, ValueError) as error:
            raise self.error(f"{key} is not a date: {value!r}", f"write {key} = 2026-12-01") from error


def _plain_date(value: object) -> date | None:
    if value is None or type(value) is date:
        return value
    raise TypeError(value)


def _entries(tables: Mapping[str, Any], name: str, known: Sequence[str]) -> list[_Entry]:
    raw = tables.get(name, [])
    if not isinstance(raw, list) or not all(isinstance(item, dict) for item in raw):
        raise ConfigError(f"{name} must be a list of tables", hint=f"write [[{name}]] above each entry")
    entries = [_Entry(f"[[{name}]] entry {number}", item) for number, item in enumerate(raw, start=1)]
    for entry in entries:
        for key in entry.values:
            if key not in known:
                near = nearest(key, known, 1)
                raise entry.error(
                    f"unknown key {key!r}", f"did you mean {near[0]}?" if near else f"use {', '.join(known)}"
                )
    return entries


def _negotiated(entry: _Entry) -> NegotiatedPrice:
    stated: dict[str, Any] = {field: entry.amount(field) for field in RATE_FIELDS}
    rates = PriceRates(**stated)
    if not rates.published:
        raise entry.error("no price is stated", "write input_usd_per_mtok = 1.25 and output_usd_per_mtok = 10")
    valid_from, valid_to = entry.day("valid_from"), entry.day("valid_to")
    if valid_from is not None and valid_to is not None and valid_to <= valid_from:
        raise entry.error("valid_to is not after valid_from", "valid_to is the first day without the price")
    return NegotiatedPrice(
        provider=entry.text("provider"),
        model=entry.text("model"),
        processing=_processing(entry),
        rates=rates,
        usd_per_request=entry.amount("usd_per_request"),
        context_window_tokens=entry.count("context_window_tokens", None),
        valid_from=valid_from,
        valid_to=valid_to,
        source=entry.text("source", "negotiated"),
    )


def _processing(entry: _Entry) -> Processing:
    stated = entry.text("processing", "standard")
    for processing in PROCESSINGS:
        if processing == stated:
            return processing
    raise entry.error(f"unknown processing {stated!r}", f"use one of {', '.join(PROCESSINGS)}")


def _provisioned(entry: _Entry) -> ProvisionedThroughput:
    provider, model = entry.text("provider"), entry.text("model")
    return ProvisionedThroughput(
        label=entry.text("label", f"{provider}/{model} (provisioned)"),
        provider=provider,
        model=model,
        usd_per_month_per_unit=_unit_usd_per_month(entry),
        min_units=entry.count("min_units", 1) or 1,
        source=entry.text("source", "negotiated"),
        **_unit_rates(entry),
    )


def _unit_usd_per_month(entry: _Entry) -> Decimal:
    monthly, hourly = entry.amount("usd_per_month_per_unit"), entry.amount("usd_per_h_per_unit")
    if (monthly is None) == (hourly is None):
        raise entry.error(
            "needs one of usd_per_month_per_unit and usd_per_h_per_unit", "write usd_per_month_per_unit = 730"
        )
    usd_per_month = monthly or (hourly or Decimal(0)) * units.HOURS_PER_MONTH
    if not usd_per_month:
        raise entry.error("a unit cannot cost nothing", "write usd_per_month_per_unit = 730")
    return usd_per_month


def _unit_rates(entry: _Entry) -> dict[str, Decimal | None]:
    """The stated rates of one unit: tokens of both kinds together, or input and output apart."""
    rates = {key: entry.amount(key) for key in _UNIT_RATES}
    stated = {key for key, rate in rates.items() if rate is not None}
    if stated not in ({_UNIT_RATES[0]}, set(_UNIT_RATES[1:])):
        raise entry.error(
            f"needs either {_UNIT_RATES[0]} or both {_UNIT_RATES[1]} and {_UNIT_RATES[2]}",
            f"write {_UNIT_RATES[0]} = 50",
        )
    if any(rate == 0 for rate in rates.values()):
        raise entry.error("a unit's rate cannot be 0", f"write {_UNIT_RATES[0]} = 50")
    return rates
