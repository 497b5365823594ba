"""What the requests of a trace cost, one by one, and what a lever takes off that bill in a month.

Each request is priced by itself and rounded once, as the ledger does, so that a replay and a ledger add up alike.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Final

import numpy as np
from numpy.typing import NDArray

from breakeven import units
from breakeven.catalog.price_card import PriceCard
from breakeven.catalog.pricing import RowPricer
from breakeven.catalog.usage import Usage

Amounts = NDArray[np.int64]
"""Nano-dollars of each request, shape (n,)."""

CONFIDENCE: Final = 0.95
STRETCHES: Final = 60
"""Equal parts of the trace's time that the interval draws from, with what depends on each other kept together."""

DRAWS: Final = 2_000
SEED: Final = 20_261_124


@dataclass(frozen=True, slots=True, kw_only=True)
class Bills:
    """What each request costs, and what its input alone costs, both in nano-dollars, rounded once each."""

    nano_usd: Amounts
    input_nano_usd: Amounts

    def where(self, billed: NDArray[np.bool_]) -> Bills:
        """The same requests with only those billed that are marked."""
        return Bills(nano_usd=self.nano_usd * billed, input_nano_usd=self.input_nano_usd * billed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """Where a figure lies in 95 of 100 traces drawn from stretches of this one; None where the trace shows no time."""

    low: Decimal
    high: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Saving:
    """A trace's bill without and with a lever, in whole nano-dollars; ``months`` is how many months one trace is.

    ``saved_usd`` is the interval of what is saved over the trace, ``bill_ratio`` of the bill with over that without.
    """

    without_nano_usd: int
    with_nano_usd: int
    input_without_nano_usd: int
    input_with_nano_usd: int
    traces_per_month: Fraction | None
    saved_usd_interval: Interval | None
    bill_ratio_interval: Interval | None

    @property
    def saved_nano_usd(self) -> int:
        """What is saved over the trace, nano-dollars; below 0 where the lever costs more than it saves."""
        return self.without_nano_usd - self.with_nano_usd

    @property
    def bill_ratio(self) -> float | None:
        """The bill with the lever over that without; None where nothing is billed."""
        return self.with_nano_usd / self.without_nano_usd if self.without_nano_usd else None

    @property
    def input_bill_ratio(self) -> float | None:
        """The bill of the input with the lever over that without; None where no input is billed."""
        return self.input_with_nano_usd / self.input_without_nano_usd if self.input_without_nano_usd else None

    @property
    def usd_per_month(self) -> Decimal | None:
        """The bill without the lever, for a month at the trace's mean rate, US dollars."""
        return self._per_month(Decimal(self.without_nano_usd).scaleb(-9))

    @property
    def usd_saved_per_month(self) -> Decimal | None:
        """What is saved in a month at the trace's mean rate, US dollars."""
        return self._per_month(Decimal(self.saved_nano_usd).scaleb(-9))

    @property
    def usd_saved_per_month_interval(self) -> Interval | None:
        """The interval of what is saved in a month, US dollars."""
        found = self.saved_usd_interval
        if found is None or self.traces_per_month is None:
            return None
        low, high = (units.rounded_usd(Fraction(end) * self.traces_per_month) for end in (found.low, found.high))
        return Interval(low=low, high=high)

    def _per_month(self, amount_usd: Decimal) -> Decimal | None:
        if self.traces_per_month is None:
            return None
        return units.rounded_usd(Fraction(amount_usd) * self.traces_per_month)


def bills(card: PriceCard, usages: Iterable[Usage]) -> Bills:
    """What each request costs at a card's prices.

    Raises:
        Unpriced: the card cannot price one of them.
    """
    pricer = RowPricer(card)
    fee_nano_usd = pricer.nano_usd(Usage())
    whole, inputs = [], []
    for usage in usages:
        whole.append(pricer.nano_usd(usage))
        inputs.append(pricer.nano_usd(_input_of(usage)) - fee_nano_usd)
    return Bills(nano_usd=np.array(whole, dtype=np.int64), input_nano_usd=np.array(inputs, dtype=np.int64))


def plain_bills(card: PriceCard, input_tokens: NDArray[np.int64], output_tokens: NDArray[np.int64]) -> Bills:
    """What each request costs with nothing read from or written to a cache.

    Raises:
        Unpriced: the card cannot price one of them.
    """
    pairs = zip(input_tokens.tolist(), output_tokens.tolist(), strict=True)
    return bills(card, (Usage(input_tokens=tokens_in, output_tokens=tokens_out) for tokens_in, tokens_out in pairs))


def saving(without: Bills, with_lever: Bills, arrivals_s: NDArray[np.float64], span_s: float) -> Saving:
    """The two bills of the same requests compared, with a block bootstrap over the trace's time.

    ``arrivals_s`` has shape (n,), from 0 on, and ``span_s`` is the time that the trace stands for.
    """
    month_s = units.HOURS_PER_MONTH * units.SECONDS_PER_HOUR
    saved, ratio = _intervals(without.nano_usd, with_lever.nano_usd, arrivals_s, span_s)
    return Saving(
        without_nano_usd=int(without.nano_usd.sum()),
        with_nano_usd=int(with_lever.nano_usd.sum()),
        input_without_nano_usd=int(without.input_nano_usd.sum()),
        input_with_nano_usd=int(with_lever.input_nano_usd.sum()),
        traces_per_month=month_s / Fraction(span_s) if span_s else None,
        saved_usd_interval=saved,
        bill_ratio_interval=ratio,
    )


def _input_of(usage: Usage) -> Usage:
    return Usage(
        input_tokens=usage.input_tokens,
        cache_read_tokens=usage.cache_read_tokens,
        cache_write_5m_tokens=usage.cache_write_5m_tokens,
        cache_write_1h_tokens=usage.cache_write_1h_tokens,
    )


def _intervals(
    without: Amounts, with_lever: Amounts, arrivals_s: NDArray[np.float64], span_s: float
) -> tuple[Interval, Interval] | tuple[None, None]:
    """Of what is saved over the trace in US dollars, and of the ratio of the bills."""
    if span_s <= 0 or not without.any():
        return None, None
    stretch = np.minimum((arrivals_s / span_s * STRETCHES).astype(np.int64), STRETCHES - 1)
    billed, left = np.zeros(STRETCHES, dtype=np.int64), np.zeros(STRETCHES, dtype=np.int64)
    np.add.at(billed, stretch, without)
    np.add.at(left, stretch, with_lever)
    draws = np.random.default_rng(SEED).multinomial(STRETCHES, np.full(STRETCHES, 1 / STRETCHES), size=DRAWS)
    bills_drawn, left_drawn = (draws @ billed).astype(float), (draws @ left).astype(float)
    told = bills_drawn > 0
    if not told.any():
        return None, None
    low, high = _ends(bills_drawn - left_drawn)
    most_nano_usd = int(without.sum())
    saved = Interval(low=units.usd(round(low)), high=units.usd(min(round(high), most_nano_usd)))
    ends = (Decimal(repr(round(float(end), 9))) for end in _ends(left_drawn[told] / bills_drawn[told]))
    return saved, Interval(low=next(ends), high=next(ends))


def _ends(drawn: NDArray[np.float64]) -> tuple[float, float]:
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail])
    return float(low), float(high)
