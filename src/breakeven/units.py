"""Constants and conversions, and nothing else: the only place where a unit is changed."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction
from typing import Final

HOURS_PER_MONTH: Final = 730
"""Hours in a month, everywhere: 365 / 12 days of 24 hours."""

DAYS_PER_MONTH: Final = Fraction(365, 12)
"""Days in a month, exactly; 730 hours."""

HOURS_PER_DAY: Final = 24
SECONDS_PER_HOUR: Final = 3_600
SECONDS_PER_DAY: Final = 86_400
TOKENS_PER_MTOK: Final = 1_000_000
NANO_USD_PER_USD: Final = 1_000_000_000
BYTES_PER_GIB: Final = 1 << 30
BYTES_PER_GB: Final = 1_000_000_000

NANO_USD: Final = Decimal("1E-9")
"""One nano-dollar in US dollars, the resolution of every amount that is added up."""

_EXACT: Final = Context(prec=60, rounding=ROUND_HALF_EVEN)


def nano_usd(usd: Fraction | Decimal) -> int:
    """Round exact US dollars once, half to even, to integer nano-dollars.

    >>> nano_usd(Decimal("0.0000000005")), nano_usd(Decimal("0.0000000015"))
    (0, 2)
    """
    return round(Fraction(usd) * NANO_USD_PER_USD)


def usd(amount_nano_usd: int) -> Decimal:
    """US dollars of an integer amount of nano-dollars, exact, with nine decimals.

    >>> usd(1_500_000_000)
    Decimal('1.500000000')
    """
    return Decimal(amount_nano_usd).scaleb(-9, _EXACT)


def rounded_usd(amount_usd: Fraction | Decimal) -> Decimal:
    """US dollars rounded once, half to even, to a whole number of nano-dollars.

    >>> rounded_usd(Fraction(1, 3))
    Decimal('0.333333333')
    """
    return usd(nano_usd(amount_usd))
