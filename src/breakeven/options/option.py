"""One way of serving a workload, priced."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from breakeven.options.curve import CostCurve
from breakeven.options.statement import CostStatement

OptionKind = Literal["api", "gpu", "edge"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """A model's quality tier and the public score behind it; ``tier`` is ``"unrated"`` without one."""

    tier: str
    score: float | None = None
    benchmark: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """A priced way of serving the workload. Latencies are seconds at the workload's percentile, or None and why."""

    kind: OptionKind
    label: str
    statement: CostStatement
    curve: CostCurve
    ttft_s: float | None
    tpot_s: float | None
    latency_note: str
    quality: Quality
    control: str
    note: str = ""

    @property
    def usd_per_month(self) -> Decimal:
        """Monthly cost, US dollars: the statement's total."""
        return self.statement.usd_per_month


class Candidates(Protocol):
    """All options of one kind as columns, so that the whole catalogue is ranked without building statements.

    ``usd_per_month`` is a float64 array of shape (n,) for ranking only; ``refusal`` an int array of shape (n,): 0 for
    admissible, else 1 + the index into ``refusal_reasons``. ``curve_columns`` feed the break-even solver.
    """

    kind: OptionKind
    refusal_reasons: Sequence[str]

    @property
    def usd_per_month(self) -> NDArray[np.float64]:
        """Approximate monthly cost at the workload's volume; NaN where it cannot be priced."""
        ...

    @property
    def refusal(self) -> NDArray[np.int64]:
        """Why a row is not admissible: 0, or 1 + index into ``refusal_reasons``."""
        ...

    def label(self, row: int) -> str:
        """The row's label, unique within the plan."""
        ...

    def curve(self, row: int) -> CostCurve:
        """The row's exact cost curve."""
        ...

    def option(self, row: int) -> Option:
        """The row as a full option, with its statement."""
        ...
