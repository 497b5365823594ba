"""Small linear programs with whole-number variables, solved by HiGHS (extra ``optimize``)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import import_module
from math import inf
from typing import Any

import numpy as np
from numpy.typing import NDArray

from breakeven.errors import NothingFits, Unavailable

Floats = NDArray[np.float64]

Term = tuple[int, float]
"""A variable's number and its coefficient."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Solution:
    """Values of the variables, shape (n,), and the least that any solution can cost: what the search has proved."""

    values: Floats
    cost: float
    proved_cost: float


@dataclass(slots=True)
class IntegerProgram:
    """Variables of at least zero and linear bounds on them, to be solved for the least cost.

    HiGHS (MIT) runs on one thread with a fixed seed, so the same program gives the same answer.
    """

    _costs: list[float] = field(default_factory=list)
    _upper: list[float] = field(default_factory=list)
    _whole: list[bool] = field(default_factory=list)
    _rows: list[tuple[float, float, Sequence[Term]]] = field(default_factory=list)

    def variable(self, *, cost: float = 0.0, upper: float = inf, whole: bool = True) -> int:
        """Add a variable between 0 and ``upper``; its number."""
        self._costs.append(cost)
        self._upper.append(upper)
        self._whole.append(whole)
        return len(self._costs) - 1

    def bound(self, terms: Sequence[Term], *, low: float = -inf, high: float = inf) -> None:
        """Require ``low <= sum(coefficient * variable) <= high``."""
        self._rows.append((low, high, terms))

    def solve(self, *, time_limit_s: float = 60.0) -> Solution:
        """The cheapest solution, or after the time limit the best one found with the bound that was proved.

        Raises:
            NothingFits: no values keep all bounds, or none was found in time.
            Unavailable: HiGHS is not installed.
        """
        highs = _highs()
        solver = highs.Highs()
        for option, value in _OPTIONS.items():
            solver.setOptionValue(option, value)
        solver.setOptionValue("time_limit", time_limit_s)
        solver.passModel(self._model(highs))
        solver.run()
        info = solver.getInfo()
        if info.primal_solution_status != int(highs.SolutionStatus.kSolutionStatusFeasible):
            raise NothingFits(
                "no purchase carries this demand",
                cause=f"HiGHS says: {solver.modelStatusToString(solver.getModelStatus())}",
                hint="allow more spot instances, further instance types, or on-demand capacity",
            )
        return Solution(
            values=np.array(solver.getSolution().col_value),
            cost=float(info.objective_function_value),
            proved_cost=float(info.mip_dual_bound if any(self._whole) else info.objective_function_value),
        )

    def _model(self, highs: Any) -> Any:
        """The program as HiGHS takes it; highspy carries its types in a module that loads with it."""
        model = highs.HighsLp()
        model.num_col_, model.num_row_ = len(self._costs), len(self._rows)
        model.col_cost_ = np.array(self._costs)
        model.col_lower_ = np.zeros(len(self._costs))
        model.col_upper_ = np.array(self._upper)
        model.row_lower_ = np.array([low for low, _, _ in self._rows])
        model.row_upper_ = np.array([high for _, high, _ in self._rows])
        model.a_matrix_.format_ = highs.MatrixFormat.kRowwise
        model.a_matrix_.start_ = np.cumsum([0, *(len(terms) for _, _, terms in self._rows)])
        model.a_matrix_.index_ = np.array([number for _, _, terms in self._rows for number, _ in terms])
        model.a_matrix_.value_ = np.array([factor for _, _, terms in self._rows for _, factor in terms])
        kinds = highs.HighsVarType
        model.integrality_ = [kinds.kInteger if whole else kinds.kContinuous for whole in self._whole]
        return model


_OPTIONS = {"log_to_console": False, "output_flag": False, "threads": 1, "mip_rel_gap": 0.0, "mip_abs_gap": 1e-9}


def _highs() -> Any:
    try:
        return import_module("highspy")
    except ImportError:
        raise Unavailable(
            "several instance types need a solver that is not installed",
            cause="HiGHS comes with the optional part [optimize]",
            hint="pip install 'breakeven[optimize]', or compare one instance type at a time",
        ) from None
