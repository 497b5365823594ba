"""Hosted APIs: each published price of each hosted model, on the workload's own token counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import time
from fractions import Fraction
from functools import cached_property
from itertools import groupby
from typing import Literal

import numpy as np

from breakeven import units
from breakeven.catalog import pricing
from breakeven.catalog.price_card import PriceCard
from breakeven.catalog.pricing import RateLine
from breakeven.catalog.token_totals import TokenTotals
from breakeven.options.admission import Refusals, model_quality, quality_refusals
from breakeven.options.curve import UNBOUNDED_REQUESTS_PER_DAY, CostCurve, CurveColumns, Ints
from breakeven.options.option import Option
from breakeven.options.refusing import RefusingTable
from breakeven.options.statement import CostLine, CostStatement, quantity
from breakeven.workload.workload import Workload

CONTROL = "provider"

IN_PRODUCT_ONLY = frozenset({"cursor", "github-copilot"})
"""Providers whose list prices are for requests made from their own editor or agent."""

SLOWEST_ANSWER_S = {"batch": 86_400.0, "flex": 900.0}
"""How long a tier may take to answer: batches 24 hours; flex requests wait up to 15 minutes and may be refused.

Source: developers.openai.com guides "batch" and "flex processing", seen 2026-11.
"""

TRUSTED_WINDOW_TOKENS = 32_768
"""What a model is trusted to read where no list states its context window: assumed, an eighth of the stated median."""


@dataclass(frozen=True, slots=True)
class HostedPrice:
    """One way of calling one hosted model: a price card, or several that share the day between them."""

    cards: tuple[PriceCard, ...]

    @property
    def card(self) -> PriceCard:
        """The card that names the model; all cards differ in price and hours only."""
        return self.cards[0]

    @property
    def label(self) -> str:
        """``provider/model``, and the processing tier unless standard."""
        card = self.card
        tier = "" if card.processing == "standard" else f" ({card.processing})"
        return f"{card.provider}/{card.model}{tier}"

    def shares(self, workload: Workload) -> tuple[Fraction, ...]:
        """The share of the workload's requests that each card prices; the hours of the workload are taken as UTC."""
        if len(self.cards) == 1:
            return (Fraction(1),)
        total = sum(map(Fraction, workload.hourly_shape), Fraction(0))
        return tuple(
            sum(
                (_share_of_hour(card, hour) * Fraction(share) for hour, share in enumerate(workload.hourly_shape)),
                Fraction(0),
            )
            / total
            for card in self.cards
        )


def hosted_prices(cards: Sequence[PriceCard]) -> tuple[HostedPrice, ...]:
    """Cards as options: those that differ only in their hours of the day belong together."""

    def key(card: PriceCard) -> tuple[str, str, str]:
        return card.provider, card.model, card.processing

    return tuple(HostedPrice(tuple(group)) for _, group in groupby(sorted(cards, key=key), key=key))


class HostedApis(RefusingTable):
    """All hosted prices as candidates."""

    kind: Literal["api"] = "api"

    def __init__(self, workload: Workload, cards: Sequence[PriceCard], *, named: bool = False) -> None:
        self._workload = workload
        self._prices = hosted_prices(cards)
        self._named = named

    @cached_property
    def _totals(self) -> TokenTotals:
        return TokenTotals.of(self._workload.input_tokens, self._workload.output_tokens)

    @cached_property
    def _longest_request_tokens(self) -> int:
        """Found once: it is held against the context window of each price."""
        return self._workload.longest_request_tokens

    @cached_property
    def _unpriced(self) -> tuple[str, ...]:
        """For each price why it cannot price these requests, or an empty text."""
        return tuple(
            next((reason for card in price.cards if (reason := pricing.refusal(card, self._totals))), "")
            for price in self._prices
        )

    @cached_property
    def _usd_per_daily_request(self) -> tuple[Fraction, ...]:
        return tuple(
            Fraction(0) if unpriced else self._mean_usd_per_request(price) * units.DAYS_PER_MONTH
            for price, unpriced in zip(self._prices, self._unpriced, strict=True)
        )

    def _mean_usd_per_request(self, price: HostedPrice) -> Fraction:
        parts = zip(price.cards, price.shares(self._workload), strict=True)
        return sum((share * pricing.mean_usd_per_request(card, self._totals) for card, share in parts), Fraction(0))

    def _lines(self, price: HostedPrice, totals: TokenTotals) -> tuple[RateLine, ...]:
        """Mean tokens of a request by rate."""
        return tuple(
            line.scaled(share)
            for card, share in zip(price.cards, price.shares(self._workload), strict=True)
            for line in pricing.mean_lines(card, totals)
        )

    @cached_property
    def columns(self) -> CurveColumns:
        """The rows' cost curves: lines through the origin."""
        rows = len(self._prices)
        return CurveColumns(
            fixed_usd_per_month=np.zeros(rows),
            usd_per_month_per_daily_request=np.array([float(usd) for usd in self._usd_per_daily_request]),
            unit_usd_per_month=np.zeros(rows),
            unit_requests_per_day=np.full((rows, 1), UNBOUNDED_REQUESTS_PER_DAY),
            min_units=np.zeros(rows, dtype=np.int64),
            pooled_requests_per_day=np.zeros((rows, 0), dtype=np.int64),
        )

    @cached_property
    def _models(self) -> tuple[str, ...]:
        return tuple(price.card.model for price in self._prices)

    @cached_property
    def group(self) -> Ints:
        """The model of each row, under its maker's name."""
        names = {name: index for index, name in enumerate(dict.fromkeys(map(_group_name, self._models)))}
        return np.array([names[_group_name(model)] for model in self._models], dtype=np.int64)

    @cached_property
    def refusals(self) -> Refusals:
        """Why rows may not be recommended, the first reason that applies to each."""
        requirements = self._workload.requirements
        refusals = Refusals.of(len(self._prices))
        quality = quality_refusals(self._models, requirements, self._named)
        for row, price in enumerate(self._prices):
            refusals.refuse_row(row, self._unpriced[row] or self._physical_refusal(price), priced=False)
            refusals.refuse_row(row, quality[row])
            refusals.refuse_row(row, self._terms_refusal(price))
        return refusals

    def _physical_refusal(self, price: HostedPrice) -> str:
        card = price.card
        if card.provider in IN_PRODUCT_ONLY:
            return "sold for use inside the provider's own product, not as a general API"
        if card.retired_on is not None:
            return "no longer served by its provider"
        if card.is_free:
            return "free tier: rate-limited, no service level, no price to plan with"
        window = card.context_window_tokens
        if window is None and self._longest_request_tokens > TRUSTED_WINDOW_TOKENS:
            return f"context window unknown, and the longest request exceeds {TRUSTED_WINDOW_TOKENS:,} tokens"
        if window is not None and window < self._longest_request_tokens:
            return "the longest request exceeds the model's context window"
        return ""

    def _terms_refusal(self, price: HostedPrice) -> str:
        requirements = self._workload.requirements
        if requirements.data_residency:
            return "data residency is required and the provider would hold the data"
        slowest_s = SLOWEST_ANSWER_S.get(price.card.processing)
        if slowest_s is not None and slowest_s > requirements.slo.ttft_s:
            return f"{price.card.processing} processing may take {slowest_s:,.0f} s to answer"
        return ""

    def label(self, row: int) -> str:
        """``provider/model``, and the processing tier unless standard."""
        return self._prices[row].label

    def cards(self, row: int) -> tuple[PriceCard, ...]:
        """The row's price cards: one, or one for each price that its hours have."""
        return self._prices[row].cards

    def batch_row(self, row: int) -> int | None:
        """The row of the same model's batch price, where there is one and this is not it."""
        card = self._prices[row].card
        wanted = (card.provider, card.model, "batch")
        found = [
            index
            for index, price in enumerate(self._prices)
            if (price.card.provider, price.card.model, price.card.processing) == wanted and index != row
        ]
        return found[0] if found else None

    def usd_per_month_with_cached_prefixes(self, row: int) -> Fraction:
        """Cost if every repeated prefix token were read from the provider's cache, US dollars a month."""
        workload = self._workload
        cached = np.floor(workload.input_tokens * workload.prefix_reuse_frac).astype(np.int64)
        totals = TokenTotals.of(workload.input_tokens, workload.output_tokens, cached)
        lines = self._lines(self._prices[row], totals)
        daily = sum((line.usd_per_request for line in lines), Fraction(0))
        return daily * units.DAYS_PER_MONTH * workload.requests_per_day

    def curve(self, row: int) -> CostCurve:
        """The row's exact cost curve."""
        return CostCurve(usd_per_month_per_daily_request=self._usd_per_daily_request[row])

    def option(self, row: int) -> Option:
        """The row as a full option, with its statement."""
        price = self._prices[row]
        monthly = Fraction(self._workload.requests_per_day) * units.DAYS_PER_MONTH
        return Option(
            kind="api",
            label=price.label,
            statement=CostStatement(
                lines=tuple(hosted_line(price.card, line, monthly) for line in self._lines(price, self._totals))
            ),
            curve=self.curve(row),
            ttft_s=None,
            tpot_s=None,
            latency_note="unknown until measured or imported",
            quality=model_quality(price.card.model),
            control=CONTROL,
            note=price.card.note,
        )


def hosted_line(card: PriceCard, line: RateLine, requests: Fraction) -> CostLine:
    """A rate's line for so many requests."""
    per = Fraction(1) if line.kind == "request" else Fraction(1, units.TOKENS_PER_MTOK)
    return CostLine(
        label=line.label,
        quantity=quantity(line.quantity_per_request * requests * per),
        unit="request" if line.kind == "request" else "Mtok",
        usd_per_unit=line.usd_per_unit,
        basis="quoted",
        source=f"{card.source}, checked {card.checked_on}",
    )


def _group_name(model: str) -> str:
    return model.rpartition("/")[2].lower()


def _share_of_hour(card: PriceCard, hour: int) -> Fraction:
    """The share of an hour's minutes that lie in the card's windows."""
    minutes = sum(any(w.contains(time(hour, minute)) for w in card.hours_utc) for minute in range(60))
    return Fraction(minutes, 60) if card.hours_utc else Fraction(1)
