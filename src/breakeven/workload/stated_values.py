"""Readers of single stated values: each turns what a file or a caller states into a value, or says the rule.

A reader raises ValueError whose text completes the sentence "must be ...".
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from breakeven.workload.workload import QUALITY_TIERS


def whole(low: int, high: int) -> Callable[[object], int]:
    """Reader of a whole number in low..high."""

    def read(stated: object) -> int:
        number = finite(stated)
        if number != number.to_integral_value() or not low <= number <= high:
            raise ValueError(f"a whole number from {low:,} to {high:,}")
        return int(number)

    return read


def exact(low: str, high: str, *, open_low: bool = False, open_high: bool = False) -> Callable[[object], Decimal]:
    """Reader of an exact number in low..high."""

    def read(stated: object) -> Decimal:
        number = finite(stated)
        inside = Decimal(low) <= number <= Decimal(high)
        if not inside or (open_low and number == Decimal(low)) or (open_high and number == Decimal(high)):
            above, below = "above" if open_low else "at least", "below" if open_high else "at most"
            raise ValueError(f"a number {above} {low} and {below} {high}")
        return number

    return read


def real(low: str, high: str, *, open_low: bool = False, open_high: bool = False) -> Callable[[object], float]:
    """Reader of a float in low..high."""
    read = exact(low, high, open_low=open_low, open_high=open_high)
    return lambda stated: float(read(stated))


def finite(stated: object) -> Decimal:
    """A number that is neither NaN nor infinite, exactly as it was written."""
    if isinstance(stated, bool) or not isinstance(stated, int | float | Decimal):
        raise ValueError("a number")
    number = Decimal(str(stated))
    if not number.is_finite():
        raise ValueError("a finite number")
    return number


def quality_tier(stated: object) -> str:
    """The name of a quality tier."""
    if stated not in QUALITY_TIERS:
        raise ValueError(f"one of {', '.join(QUALITY_TIERS)}")
    return str(stated)


def truth(stated: object) -> bool:
    """A boolean, and nothing that merely looks like one."""
    if not isinstance(stated, bool):
        raise ValueError("true or false")
    return stated
