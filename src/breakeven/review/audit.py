"""The audit of prompts: each rule's saving on what the rules before it left, so that they never exceed the spend."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction

from breakeven.catalog.hosted import find_card
from breakeven.catalog.negotiated import PriceConfig
from breakeven.catalog.pricing import RowPricer
from breakeven.catalog.usage import Usage
from breakeven.errors import InputError
from breakeven.options.instance_hours import month_usd
from breakeven.review.finding import Finding, Tally
from breakeven.review.logged_request import LoggedRequest
from breakeven.review.rule import PromptRule
from breakeven.units import HOURS_PER_DAY, SECONDS_PER_HOUR, usd

Log = Callable[[], Iterable[LoggedRequest]]
"""Goes through the log anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """What a log covers: how many hours, and whether its own times say so (``stated`` by the user otherwise)."""

    hours: float
    stated: bool

    def usd_per_month(self, nano_usd: int) -> Decimal:
        """An amount of the log as US dollars a month of 730 hours, rounded to a nano-dollar."""
        return month_usd(usd(nano_usd), Fraction(self.hours))


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptAudit:
    """What a log's prompts cost, and what of that need not be. ``estimated`` counts requests without stated usage."""

    requests: int
    estimated: int
    spent_nano_usd: int
    stretch: Stretch
    priced_on: date
    findings: tuple[Finding, ...]


class LogPrices:
    """The price of a log's requests, by model and provider."""

    def __init__(self, at: date, config: PriceConfig, model: str | None = None) -> None:
        """Take the day of the prices, and the model to price all requests as, if one is named."""
        self._at, self._config, self._model = at, config, model
        self._pricers: dict[tuple[str, str], RowPricer] = {}

    def nano_usd(self, request: LoggedRequest, usage: Usage) -> int:
        """What a request would cost with this usage.

        Raises:
            InputError: its model has no published price, or none of this kind of token.
        """
        key = self._model or request.model, "" if self._model else request.provider
        pricer = self._pricers.get(key)
        if pricer is None:
            card = find_card(key[0], provider=key[1] or None, at=self._at, config=self._config)
            pricer = self._pricers[key] = RowPricer(card)
        return pricer.nano_usd(usage)


def audit_prompts(
    log: Log, rules: Sequence[PromptRule], prices: LogPrices, priced_on: date, days: float | None = None
) -> PromptAudit:
    """Go through a log twice: once to look, once to apply the rules one after the other.

    ``days`` is what the log covers, where its requests have no times.

    Raises:
        InputError: the log is empty, a model has no price, or nothing says what stretch of time the log covers.
    """
    first, last, requests = None, None, 0
    for request in log():
        requests += 1
        if request.at_s is not None:
            first = request.at_s if first is None else min(first, request.at_s)
            last = request.at_s if last is None else max(last, request.at_s)
        for rule in rules:
            rule.look(request)
    if not requests:
        raise InputError(
            "the log has no requests", hint="one JSON object a line: a request's body, or body and response"
        )
    stretch = _stretch(first, last, days)
    spent, estimated, tallies = 0, 0, [Tally() for _ in rules]
    for request in log():
        spent += _applied(request, rules, prices, tallies)
        estimated += request.usage_basis == "estimated"
    found = (rule.finding(tally) for rule, tally in zip(rules, tallies, strict=True))
    return PromptAudit(
        requests=requests,
        estimated=estimated,
        spent_nano_usd=spent,
        stretch=stretch,
        priced_on=priced_on,
        findings=tuple(sorted(filter(None, found), key=lambda each: -each.saved_nano_usd)),
    )


def _applied(request: LoggedRequest, rules: Sequence[PromptRule], prices: LogPrices, tallies: Sequence[Tally]) -> int:
    """Let each rule mend what the ones before it left; a fix that would cost more is not taken."""
    usage = request.usage
    spent = cost = prices.nano_usd(request, usage)
    for rule, tally in zip(rules, tallies, strict=True):
        mended = rule.apply(request, usage)
        if mended is usage:
            continue
        after = prices.nano_usd(request, mended)
        if after < cost:
            tally.add(cost, after)
            usage, cost = mended, after
    return spent


def _stretch(first: float | None, last: float | None, days: float | None) -> Stretch:
    if days is not None:
        return Stretch(hours=days * HOURS_PER_DAY, stated=True)
    if first is None or last is None or last <= first:
        raise InputError(
            "nothing says what stretch of time the log covers",
            cause="its requests have no timestamp, or all the same one",
            hint="--days 30 for a log of thirty days",
        )
    return Stretch(hours=(last - first) / SECONDS_PER_HOUR, stated=False)
