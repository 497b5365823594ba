"""Where a printed number comes from."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

Basis = Literal["measured", "quoted", "modelled", "assumed"]
"""``measured`` on the user's system, ``quoted`` from a dated source, ``modelled`` with an error band, ``assumed``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumption:
    """One input that an answer rests on, printed beside the answer."""

    name: str
    value: Decimal | int | float | str | bool
    unit: str
    basis: Basis
    source: str = ""
