"""How money, latency and volume are written: one spelling for all formats. Unknown is a word, never a zero."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction

from breakeven import units
from breakeven.options.statement import usd_per_1k

UNKNOWN = "unknown"
"""What is printed where a number does not exist; zero is printed as a number."""


def decimal_text(value: Decimal) -> str:
    """Plain decimal text without an exponent, all digits kept: what JSON and CSV carry.

    >>> decimal_text(Decimal("1E+3")), decimal_text(Decimal("1.500000000"))
    ('1000', '1.500000000')
    """
    return format(value, "f")


def usd_text(amount_usd: Decimal, decimals: int = 2) -> str:
    """US dollars for people, rounded half to even; an amount too small to show is a bound, never $0.00.

    >>> usd_text(Decimal("1234.5")), usd_text(Decimal("0.001")), usd_text(Decimal("-3")), usd_text(Decimal(0))
    ('$1,234.50', '<$0.01', '-$3.00', '$0.00')
    """
    smallest = Decimal(1).scaleb(-decimals)
    shown = abs(amount_usd).quantize(smallest, rounding=ROUND_HALF_EVEN)
    if amount_usd and not shown:
        return f"<${smallest:,.{decimals}f}"
    return f"{'-' if amount_usd < 0 else ''}${shown:,.{decimals}f}"


def change_text(change_usd: Decimal) -> str:
    """A signed change in US dollars.

    >>> change_text(Decimal(343)), change_text(Decimal("-12.5")), change_text(Decimal(0))
    ('+$343.00', '-$12.50', '$0.00')
    """
    return f"+{usd_text(change_usd)}" if change_usd > 0 else usd_text(change_usd)


def percent_text(change_frac: Decimal | Fraction | float | None) -> str:
    """A signed change as whole percent, with one decimal below ten percent; no base is no percent.

    All but everything is not everything: a fall that leaves something is never printed as -100%.

    >>> percent_text(Decimal("0.25")), percent_text(Decimal("-0.034")), percent_text(None), percent_text(-0.9996)
    ('+25%', '-3.4%', 'n/a', '-99.9%')
    """
    if change_frac is None:
        return "n/a"
    percent = float(change_frac) * 100
    if -100 < percent < -99:
        return f"{max(percent, -99.9):.1f}%"
    return f"{percent:+,.0f}%" if abs(percent) >= 10 else f"{percent:+.1f}%"


def times_text(times: Decimal | float) -> str:
    """A multiple, with one decimal below a hundred.

    >>> times_text(2.25), times_text(Decimal("2832.5"))
    ('x2.2', 'x2,832')
    """
    return f"x{times:,.1f}" if times < 100 else f"x{times:,.0f}"


def price_text(usd_per_unit: Decimal) -> str:
    """A unit price with every published digit and at least two decimals.

    >>> price_text(Decimal("0.00000015")), price_text(Decimal("2.5")), price_text(Decimal("15000"))
    ('$0.00000015', '$2.50', '$15,000.00')
    """
    whole, _, decimals = decimal_text(abs(usd_per_unit)).partition(".")
    decimals = decimals.rstrip("0").ljust(2, "0")
    return f"{'-' if usd_per_unit < 0 else ''}${int(whole):,}.{decimals}"


def quantity_text(quantity: Decimal) -> str:
    """A quantity with thousands separators and all of its digits.

    >>> quantity_text(Decimal("243333333.333")), quantity_text(Decimal("2.50"))
    ('243,333,333.333', '2.5')
    """
    whole, _, decimals = decimal_text(abs(quantity)).partition(".")
    decimals = decimals.rstrip("0")
    return f"{'-' if quantity < 0 else ''}{int(whole):,}{'.' + decimals if decimals else ''}"


def column_decimals(amounts_usd: Iterable[Decimal]) -> int:
    """Decimals for a column of amounts: enough for two digits of the smallest, between 2 and 6.

    >>> column_decimals([Decimal(12), Decimal("0.025")]), column_decimals([Decimal(3)]), column_decimals([])
    (3, 2, 2)
    """
    smallest = min((abs(amount) for amount in amounts_usd if amount), default=Decimal(1))
    return min(6, max(2, 1 - smallest.adjusted()))


def seconds_text(duration_s: float | None) -> str:
    """A latency: milliseconds below one second, else seconds; None is unknown.

    >>> seconds_text(0.0234), seconds_text(1.2345), seconds_text(None)
    ('23 ms', '1.23 s', 'unknown')
    """
    if duration_s is None:
        return UNKNOWN
    if duration_s >= 1:
        return f"{duration_s:.3g} s"
    milliseconds = duration_s * 1_000
    return f"{milliseconds:.0f} ms" if milliseconds >= 10 else f"{milliseconds:.2g} ms"


def usd_per_1k_requests(usd_per_month: Decimal, requests_per_day: int) -> Decimal:
    """Monthly US dollars over a month's requests (365 / 12 days), per 1,000, to nano-dollars.

    >>> usd_per_1k_requests(Decimal(1825), 10_000)
    Decimal('6.000000000')
    """
    return usd_per_1k(usd_per_month, requests_per_day * units.DAYS_PER_MONTH)
