"""One way of serving a workload, priced."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, Protocol

from breakeven.options.curve import CostCurve, CurveColumns, Ints
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
    """A priced way of serving the workload. Latencies are seconds at the workload's percentile, or None and why.

    ``capacity_band`` bounds 80% of measured over modelled throughput (low, high factor) where the curve's capacity is
    modelled, and is None where nothing is. ``refused`` is why the option may not be recommended; such an option is
    shown only where the user names it.
    """

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
    capacity_band: tuple[float, float] | None = None
    refused: str = ""

    @property
    def usd_per_month(self) -> Decimal:
        """Monthly cost, US dollars: the statement's total."""
        return self.statement.usd_per_month


class Candidates(Protocol):
    """All options of one kind as columns of n rows, so that the whole catalogue is ranked without building statements.

    ``refusal`` is an int64 array of shape (n,): 0 where the row may be recommended, else 1 + an index into
    ``refusal_reasons``. ``group`` is an int64 array of shape (n,): rows of one group are variants of one model, of
    which a ranking shows the cheapest.
    """

    @property
    def kind(self) -> OptionKind:
        """The kind of all rows."""
        ...

    @property
    def columns(self) -> CurveColumns:
        """The rows' cost curves."""
        ...

    @property
    def refusal_reasons(self) -> tuple[str, ...]:
        """What the codes in ``refusal`` mean."""
        ...

    @property
    def refusal(self) -> Ints:
        """Why a row may not be recommended."""
        ...

    @property
    def group(self) -> Ints:
        """The model that a row serves."""
        ...

    def has_cost(self, code: int) -> bool:
        """Whether rows refused with this code could serve the workload, so that their cost means something."""
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
