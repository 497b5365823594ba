"""From usage to money: the only place where a token price is multiplied.

A part without its own published price is charged as the whole that contains it: cache reads and writes are input,
reasoning is output, cached audio is audio. That is what a provider without such a price does, and what the
genai-prices library does. A whole without a price is refused, and so are a one-hour cache write where only the
five-minute write has a price, and audio where only text has one: audio costs 2 to 57 times as much.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_EVEN, Context, Decimal, Inexact
from fractions import Fraction
from typing import TYPE_CHECKING, Final, Literal, get_args

from breakeven import units
from breakeven.catalog.price_card import PriceCard, PriceRates
from breakeven.catalog.usage import Usage
from breakeven.errors import Unpriced, UsageError

if TYPE_CHECKING:  # it loads numpy, which the gateway does without
    from breakeven.catalog.token_totals import TokenTotals

__all__ = [
    "LineKind",
    "PriceLine",
    "PricedUsage",
    "RateLine",
    "RowPricer",
    "TokenKind",
    "mean_lines",
    "mean_usd_per_request",
    "price",
    "refusal",
]

TokenKind = Literal[
    "input",
    "cache_read",
    "cache_write_5m",
    "cache_write_1h",
    "output",
    "reasoning",
    "input_audio",
    "cache_read_audio",
    "output_audio",
]
"""Kinds of tokens that are priced apart: ``input`` and ``output`` are what is left beside their parts, ``cache_read``
and ``input_audio`` what is left beside the audio that was read from a cache."""

LineKind = TokenKind | Literal["request"]
"""Kinds of lines: tokens of a kind, or the request itself where a provider charges for it."""

# Wide enough for any product of a published price and a token count; a rounding here would be an error, so it raises.
_EXACT: Final = Context(prec=10_000, rounding=ROUND_HALF_EVEN, traps=[Inexact])
_WHOLE: Final = Context(prec=10_000, rounding=ROUND_HALF_EVEN)
_ZERO: Final = Decimal(0)

_KINDS: Final[tuple[TokenKind, ...]] = get_args(TokenKind)
_TEXT_KINDS: Final = 6
"""The first of the kinds; those behind them are of audio."""

_WHOLES: Final[Mapping[TokenKind, TokenKind]] = {
    "cache_read": "input",
    "cache_write_5m": "input",
    "cache_write_1h": "input",
    "reasoning": "output",
    "cache_read_audio": "input_audio",
}
"""The kind whose price is charged for a kind that has none of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceLine:
    """Tokens of one kind times one price, or the fee of the request itself; ``usd`` is exact and not rounded.

    ``usd_per_unit`` is US dollars per million tokens, per request for kind ``request``. ``priced_as`` differs from
    ``kind`` where the kind has no price of its own and is charged as its whole.
    """

    kind: LineKind
    priced_as: LineKind
    quantity: int
    usd_per_unit: Decimal
    usd: Decimal

    @property
    def unit(self) -> Literal["Mtok", "request"]:
        """What ``usd_per_unit`` is for."""
        return "request" if self.kind == "request" else "Mtok"


@dataclass(frozen=True, slots=True, kw_only=True)
class PricedUsage:
    """What one row of usage costs. ``lines`` are those of one request, exact; the row is rounded once, half to even.

    ``requests`` equal rows cost ``requests`` times the rounded row, because a ledger stores each row rounded.
    """

    card: PriceCard
    lines: tuple[PriceLine, ...]
    nano_usd_per_request: int
    requests: int

    @property
    def nano_usd(self) -> int:
        """Cost of all requests in nano-dollars."""
        return self.nano_usd_per_request * self.requests

    @property
    def usd_per_request(self) -> Decimal:
        """Cost of one request in US dollars, nine decimals."""
        return units.usd(self.nano_usd_per_request)

    @property
    def usd(self) -> Decimal:
        """Cost of all requests in US dollars, nine decimals."""
        return units.usd(self.nano_usd)


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLine:
    """What a mean request consumes at one rate: tokens of one kind in one price tier, or the request itself.

    ``quantity_per_request`` is tokens (1 for kind ``request``); ``usd_per_unit`` is US dollars per million tokens
    (per request for kind ``request``). Both are exact.
    """

    kind: LineKind
    above_input_tokens: int
    quantity_per_request: Fraction
    usd_per_unit: Decimal

    @property
    def label(self) -> str:
        """What is charged, such as ``output tokens above 200,000 input``."""
        if self.kind == "request":
            return "requests"
        tier = f" above {self.above_input_tokens:,} input" if self.above_input_tokens else ""
        return f"{self.kind.replace('_', ' ')} tokens{tier}"

    @property
    def usd_per_request(self) -> Fraction:
        """The line's exact share of a mean request's cost, US dollars."""
        per = 1 if self.kind == "request" else units.TOKENS_PER_MTOK
        return self.quantity_per_request * Fraction(self.usd_per_unit) / per

    def scaled(self, share: Fraction) -> RateLine:
        """The line of a card that prices only a share (0..1) of the requests."""
        return self if share == 1 else replace(self, quantity_per_request=self.quantity_per_request * share)


def price(card: PriceCard, usage: Usage, *, requests: int = 1) -> PricedUsage:
    """Price one row of usage, or ``requests`` equal rows.

    Raises:
        Unpriced: the card cannot price this usage, and why.
        UsageError: ``requests`` is not a positive whole number.
    """
    if requests < 1:
        raise UsageError(f"requests must be at least 1, not {requests}")
    _refuse_unusable(card)
    rates = card.rates_at(usage.input_tokens)
    lines = tuple(_line(card, rates, kind, tokens) for kind, tokens in _tokens(usage) if tokens)
    if card.usd_per_request:
        lines += (_fee_line(card.usd_per_request),)
    exact_usd = _ZERO
    for line in lines:
        exact_usd = _EXACT.add(exact_usd, line.usd)
    return PricedUsage(
        card=card,
        lines=lines,
        nano_usd_per_request=int(_WHOLE.to_integral_value(_EXACT.scaleb(exact_usd, 9))),
        requests=requests,
    )


class RowPricer:
    """One card's prices as whole numbers, for those who price every request: as `price`, a tenth of the time.

    ``nano_usd`` gives the row's cost in nano-dollars, rounded once, half to even, and is refused as `price` is.
    """

    def __init__(self, card: PriceCard) -> None:
        """Take a card apart.

        Raises:
            Unpriced: the card has no price of a token.
        """
        _refuse_unusable(card)
        self.card = card
        published = [usd for tier in card.tiers for usd in tier.published]
        fee = card.usd_per_request or _ZERO
        digits = max((-int(usd.as_tuple().exponent) for usd in (*published, fee)), default=0)
        # A price is USD per 10^6 tokens and the result 10^-9 USD: three digits are left to divide by.
        self._digits = max(digits, 0)
        self._divisor = int(10**self._digits)
        self._fee = _scaled(fee, self._digits + 9)
        self._tiers = tuple((tier.above_input_tokens, self._rates(tier)) for tier in card.tiers)
        self._one_tier_of_text = self._rates_of_text() if len(card.tiers) == 1 else None

    def _rates(self, rates: PriceRates) -> tuple[int | None, ...]:
        """Nano-dollars per token of each kind, times the divisor; None for a kind without a price."""
        found = [_rate(rates, kind) for kind in _KINDS]
        return tuple(None if each is None else _scaled(each[1], self._digits + 3) for each in found)

    def _rates_of_text(self) -> tuple[int, ...] | None:
        """The first tier's rates of text; None where one is missing."""
        rates = tuple(rate for rate in self._tiers[0][1][:_TEXT_KINDS] if rate is not None)
        return rates if len(rates) == _TEXT_KINDS else None

    def nano_usd(self, usage: Usage) -> int:
        """What a request with this usage costs, in nano-dollars.

        Raises:
            Unpriced: a kind of token without a price.
        """
        rates = self._one_tier_of_text
        if rates is None or usage.input_audio_tokens or usage.output_audio_tokens:
            return self._whole(self._scaled_nano_usd(usage))
        # Nearly all requests: what the loop below does, without a loop.
        read, written_5m, written_1h = usage.cache_read_tokens, usage.cache_write_5m_tokens, usage.cache_write_1h_tokens
        reasoning = usage.reasoning_tokens
        of_input, of_read, of_5m, of_1h, of_output, of_reasoning = rates
        return self._whole(
            self._fee
            + (usage.input_tokens - read - written_5m - written_1h) * of_input
            + read * of_read
            + written_5m * of_5m
            + written_1h * of_1h
            + (usage.output_tokens - reasoning) * of_output
            + reasoning * of_reasoning
        )

    def _whole(self, scaled_nano_usd: int) -> int:
        whole, rest = divmod(scaled_nano_usd, self._divisor)
        twice = 2 * rest
        return whole + (twice > self._divisor or (twice == self._divisor and whole & 1))

    def _scaled_nano_usd(self, usage: Usage) -> int:
        """The cost times the divisor, whatever the tiers and kinds of tokens."""
        rates = self._tiers[0][1]
        for above, higher in self._tiers[1:]:
            if usage.input_tokens > above:
                rates = higher
        scaled_nano_usd = self._fee
        for tokens, rate in zip(_counts(usage), rates, strict=False):
            if tokens:
                if rate is None:
                    return price(self.card, usage).nano_usd * self._divisor  # which says why it is refused
                scaled_nano_usd += tokens * rate
        return scaled_nano_usd


def _scaled(usd: Decimal, digits: int) -> int:
    """A decimal times a power of ten that makes it whole."""
    return int(_EXACT.scaleb(usd, digits))


def mean_lines(card: PriceCard, totals: TokenTotals) -> tuple[RateLine, ...]:
    """Mean tokens a request by kind and tier, priced: the lines of a hosted option.

    The sum of the lines' ``usd_per_request`` is ``mean_usd_per_request`` exactly.

    Raises:
        Unpriced: the card cannot price these requests, and why.
    """
    lines = [
        RateLine(
            kind=kind,
            above_input_tokens=rates.above_input_tokens,
            quantity_per_request=Fraction(tokens, totals.requests),
            usd_per_unit=_require_rate(card, rates, kind)[1],
        )
        for rates, kind, tokens in _banded_tokens(card, totals)
    ]
    if card.usd_per_request:
        fee = card.usd_per_request
        lines.append(RateLine(kind="request", above_input_tokens=0, quantity_per_request=Fraction(1), usd_per_unit=fee))
    return tuple(lines)


def mean_usd_per_request(card: PriceCard, totals: TokenTotals) -> Fraction:
    """Exact mean cost of a request in US dollars, before any rounding.

    Raises:
        Unpriced: the card cannot price these requests, and why.
    """
    usd_times_mtok = _ZERO
    for rates, kind, tokens in _banded_tokens(card, totals):
        usd_per_mtok = _require_rate(card, rates, kind)[1]
        usd_times_mtok = _EXACT.add(usd_times_mtok, _EXACT.multiply(usd_per_mtok, tokens))
    mean = Fraction(usd_times_mtok) / (totals.requests * units.TOKENS_PER_MTOK)
    return mean + Fraction(card.usd_per_request) if card.usd_per_request else mean


def refusal(card: PriceCard, totals: TokenTotals) -> str:
    """Why a card cannot price these requests; empty where it can."""
    if card.refusal:
        return card.refusal
    unpriced = {kind for rates, kind, _ in _banded_tokens(card, totals) if _rate(rates, kind) is None}
    return f"no published {' or '.join(sorted(unpriced))} price" if unpriced else ""


def _tokens(usage: Usage) -> Iterator[tuple[TokenKind, int]]:
    return zip(_KINDS, _counts(usage), strict=False)


def _counts(usage: Usage) -> tuple[int, ...]:
    """Tokens in the order of the kinds; without audio, those of text only."""
    if usage.input_audio_tokens or usage.output_audio_tokens:
        return _counts_with_audio(usage)
    read, written_5m, written_1h = usage.cache_read_tokens, usage.cache_write_5m_tokens, usage.cache_write_1h_tokens
    uncached = usage.input_tokens - read - written_5m - written_1h
    return uncached, read, written_5m, written_1h, usage.output_tokens - usage.reasoning_tokens, usage.reasoning_tokens


def _counts_with_audio(usage: Usage) -> tuple[int, ...]:
    """As genai-prices parts them: audio is taken from text, cached audio from cache reads and from audio."""
    cached_audio = usage.cache_read_audio_tokens
    uncached_audio = usage.input_audio_tokens - cached_audio
    return (
        usage.uncached_input_tokens - uncached_audio,
        usage.cache_read_tokens - cached_audio,
        usage.cache_write_5m_tokens,
        usage.cache_write_1h_tokens,
        usage.output_tokens - usage.reasoning_tokens - usage.output_audio_tokens,
        usage.reasoning_tokens,
        uncached_audio,
        cached_audio,
        usage.output_audio_tokens,
    )


def _banded_tokens(card: PriceCard, totals: TokenTotals) -> Iterator[tuple[PriceRates, TokenKind, int]]:
    """Tokens of each kind in each tier of the card, without the kinds that have none."""
    _refuse_unusable(card)
    ends = [rates.above_input_tokens for rates in card.tiers[1:]]
    for rates, end in zip(card.tiers, [*ends, None], strict=True):
        band = totals.band(rates.above_input_tokens, end)
        if band.input_tokens > band.cache_read_tokens:
            yield rates, "input", band.input_tokens - band.cache_read_tokens
        if band.cache_read_tokens:
            yield rates, "cache_read", band.cache_read_tokens
        if band.output_tokens:
            yield rates, "output", band.output_tokens


def _line(card: PriceCard, rates: PriceRates, kind: TokenKind, tokens: int) -> PriceLine:
    priced_as, usd_per_mtok = _require_rate(card, rates, kind)
    return PriceLine(
        kind=kind,
        priced_as=priced_as,
        quantity=tokens,
        usd_per_unit=usd_per_mtok,
        usd=_EXACT.scaleb(_EXACT.multiply(usd_per_mtok, tokens), -6),
    )


def _fee_line(usd_per_request: Decimal) -> PriceLine:
    return PriceLine(kind="request", priced_as="request", quantity=1, usd_per_unit=usd_per_request, usd=usd_per_request)


def _require_rate(card: PriceCard, rates: PriceRates, kind: TokenKind) -> tuple[TokenKind, Decimal]:
    found = _rate(rates, kind)
    if found is None:
        name = kind.replace("_", " ")
        otherwise = "be charged as text, which is far cheaper" if kind.endswith("audio") else "cost $0.00"
        raise Unpriced(
            f"{card.label} has no published {name} price",
            cause=f"{card.source} lists none, and {name} tokens would otherwise {otherwise}",
            hint="state the price under [[prices]] in breakeven.toml, or choose another model",
        )
    return found


def _rate(rates: PriceRates, kind: TokenKind) -> tuple[TokenKind, Decimal] | None:
    """The price of a kind, US dollars per million tokens, and the kind whose price it is; None without one."""
    own = _published(rates, kind)
    if own is not None:
        return kind, own
    if kind not in _WHOLES or (kind == "cache_write_1h" and rates.cache_write_5m_usd_per_mtok is not None):
        return None
    whole = _published(rates, _WHOLES[kind])
    return None if whole is None else (_WHOLES[kind], whole)


def _published(rates: PriceRates, kind: TokenKind) -> Decimal | None:
    usd_per_mtok: Decimal | None = getattr(rates, f"{kind}_usd_per_mtok")
    return usd_per_mtok


def _refuse_unusable(card: PriceCard) -> None:
    if card.refusal:
        raise Unpriced(
            f"{card.label} cannot be priced by tokens",
            cause=card.refusal,
            hint="choose a model that is billed by the token, or state a price under [[prices]] in breakeven.toml",
        )
