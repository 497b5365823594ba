"""A candidate table made of curves, for tests of the comparison."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np

from breakeven import units
from breakeven.options.curve import CostCurve, CurveColumns, Ints
from breakeven.options.option import Option, OptionKind, Quality
from breakeven.options.statement import CostLine, CostStatement


class Table:
    """Curves with labels; ``refused`` maps a row to the reason why it may not be recommended."""

    def __init__(self, kind: OptionKind, curves: dict[str, CostCurve], refused: dict[str, str] | None = None) -> None:
        self.kind: Any = kind
        self._labels = list(curves)
        self._curves = tuple(curves.values())
        refused = refused or {}
        self.refusal_reasons = tuple(dict.fromkeys(refused.values()))
        self.columns = CurveColumns.of(self._curves)
        codes = [1 + self.refusal_reasons.index(refused[x]) if x in refused else 0 for x in self._labels]
        self.refusal: Ints = np.array(codes, dtype=np.int64)
        self.group: Ints = np.arange(len(self._labels))
        self.requests_per_day = 1

    def has_cost(self, code: int) -> bool:
        return True

    def label(self, row: int) -> str:
        return self._labels[row]

    def curve(self, row: int) -> CostCurve:
        return self._curves[row]

    def option(self, row: int) -> Option:
        total = units.rounded_usd(self._curves[row].usd_per_month(self.requests_per_day))
        line = CostLine(label="all", quantity=Decimal(1), unit="month", usd_per_unit=total, basis="quoted")
        return Option(
            kind=self.kind,
            label=self._labels[row],
            statement=CostStatement(lines=(line,)),
            curve=self._curves[row],
            ttft_s=None,
            tpot_s=None,
            latency_note="",
            quality=Quality(tier="good"),
            control="",
        )
