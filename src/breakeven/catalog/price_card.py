"""A price card: what one way of calling one model costs, flat and exact."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Literal, get_args

Processing = Literal["standard", "batch", "flex", "priority"]
"""How a provider processes a request; each has its own price."""

PROCESSINGS: tuple[Processing, ...] = get_args(Processing)


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceRates:
    """Prices of one tier, exactly as published: US dollars per million tokens, None where nothing is published.

    The tier prices every token of a request whose total input exceeds ``above_input_tokens`` (a cliff, not a
    marginal rate). A part without its own price belongs to its whole, but audio does not belong to text;
    ``catalog.pricing`` says which.
    """

    above_input_tokens: int = 0
    input_usd_per_mtok: Decimal | None = None
    cache_read_usd_per_mtok: Decimal | None = None
    cache_write_5m_usd_per_mtok: Decimal | None = None
    cache_write_1h_usd_per_mtok: Decimal | None = None
    output_usd_per_mtok: Decimal | None = None
    reasoning_usd_per_mtok: Decimal | None = None
    input_audio_usd_per_mtok: Decimal | None = None
    cache_read_audio_usd_per_mtok: Decimal | None = None
    output_audio_usd_per_mtok: Decimal | None = None

    @property
    def published(self) -> tuple[Decimal, ...]:
        """The prices that are published, in US dollars per million tokens."""
        stated = (getattr(self, name) for name in RATE_FIELDS)
        return tuple(usd for usd in stated if usd is not None)


RATE_FIELDS: tuple[str, ...] = tuple(field.name for field in fields(PriceRates) if field.name.endswith("_usd_per_mtok"))
"""The prices of a tier by name, in the order of the list."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HourWindow:
    """A daily stretch of time in UTC, [start, end); it wraps midnight where end is not after start."""

    start: time
    end: time

    def contains(self, moment: time) -> bool:
        """Whether a UTC time of day lies in the window."""
        if self.start < self.end:
            return self.start <= moment < self.end
        return moment >= self.start or moment < self.end

    def __str__(self) -> str:
        return f"{self.start:%H:%M}-{self.end:%H:%M}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceCard:
    """Prices of one (provider, model, processing) over one validity window.

    ``tiers`` ascend by ``above_input_tokens``, the first being 0. The card is valid on UTC dates in
    [``valid_from``, ``valid_to``), None being open, and in any of ``hours_utc`` (empty: all day).
    ``usd_per_request`` is charged once a request, beside its tokens. ``refusal`` says why tokens cannot price
    this model at all (it is billed by audio hours, pages or characters, or no price is published); it is
    empty for every card that can be used. ``retired_on`` is the day on which the provider stopped serving the model,
    None while it can still be called. ``checked_on`` is the day on which the source stood as quoted.
    """

    provider: str
    model: str
    processing: Processing
    tiers: tuple[PriceRates, ...]
    checked_on: date
    source: str
    usd_per_request: Decimal | None = None
    valid_from: date | None = None
    valid_to: date | None = None
    hours_utc: tuple[HourWindow, ...] = ()
    context_window_tokens: int | None = None
    refusal: str = ""
    retired_on: date | None = None
    note: str = ""

    @property
    def name(self) -> str:
        """``provider/model``, then the processing unless standard: what is bought, whatever the hour."""
        return f"{self.provider}/{self.model}" + ("" if self.processing == "standard" else f" ({self.processing})")

    @property
    def label(self) -> str:
        """The name, then the hours unless all day: unique among the cards of a day."""
        return self.name + (f" [{' '.join(map(str, self.hours_utc))} UTC]" if self.hours_utc else "")

    @property
    def is_free(self) -> bool:
        """Whether every published price is zero: a free endpoint, rate-limited and without a service level."""
        rates = [rate for tier in self.tiers for rate in tier.published]
        return bool(rates) and not any(rates) and not self.usd_per_request

    def rates_at(self, input_tokens: int) -> PriceRates:
        """The tier of a request with this many input tokens."""
        reached = [tier for tier in self.tiers[1:] if input_tokens > tier.above_input_tokens]
        return reached[-1] if reached else self.tiers[0]

    def valid_on(self, day: date) -> bool:
        """Whether the card is valid at some time of a UTC day."""
        return (self.valid_from is None or self.valid_from <= day) and (self.valid_to is None or day < self.valid_to)

    def valid_at(self, moment: datetime) -> bool:
        """Whether the card is valid at a moment; a moment without a time zone is UTC."""
        utc = moment if moment.tzinfo is None else moment.astimezone(UTC)
        in_hours = not self.hours_utc or any(window.contains(utc.time()) for window in self.hours_utc)
        return in_hours and self.valid_on(utc.date())
