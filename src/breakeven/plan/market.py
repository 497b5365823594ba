"""All candidates side by side: ranked, screened and looked up across their kinds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cached_property

import numpy as np

from breakeven.errors import NothingFits, UnknownName
from breakeven.options.curve import CostCurve, CurveColumns, Floats, Ints
from breakeven.options.option import Candidates, Option

_MOST_COMPARED = 3_000


@dataclass(frozen=True, slots=True)
class Place:
    """A row of one of the candidate tables."""

    table: int
    row: int


class Market:
    """Every candidate of every kind at one volume.

    Rows are numbered through all tables, in the order of the tables; between equal costs the lower number wins.
    """

    def __init__(self, tables: Sequence[Candidates], requests_per_day: int) -> None:
        self.tables = tuple(tables)
        self.requests_per_day = requests_per_day

    def __len__(self) -> int:
        return sum(len(table.columns) for table in self.tables)

    @cached_property
    def offsets(self) -> Ints:
        """The market's row number of each table's first row, shape (tables,)."""
        return np.cumsum([0, *(len(table.columns) for table in self.tables)])[:-1]

    def place(self, row: int) -> Place:
        """The table and the row within it of a row of the market."""
        table = int(np.searchsorted(self.offsets, row, side="right")) - 1
        return Place(table, row - int(self.offsets[table]))

    @cached_property
    def usd_per_month(self) -> Floats:
        """Cost at the workload's volume, float64 of shape (rows,); NaN where a row has no price."""
        return np.concatenate([table.columns.usd_per_month(self.requests_per_day) for table in self.tables])

    @cached_property
    def admissible(self) -> Ints:
        """The rows that may be recommended, ascending."""
        return np.flatnonzero(np.concatenate([table.refusal for table in self.tables]) == 0)

    @cached_property
    def group(self) -> Ints:
        """Rows with the same number are variants of one model in one table, shape (rows,)."""
        groups, first = [], 0
        for table in self.tables:
            groups.append(table.group + first)
            first += int(table.group.max(initial=-1)) + 1
        return np.concatenate(groups)

    def row(self, label: str) -> int:
        """The row with this label.

        Raises:
            UnknownName: no candidate has it; the hint lists the nearest.
        """
        labels = [self.label(row) for row in range(len(self))]
        if label in labels:
            return labels.index(label)
        # Hundreds of thousands of labels: compare with those of the same model, or else with the hosted ones.
        model = label.partition(" ")[0].casefold()
        alike = [one for one in labels if one.partition(" ")[0].casefold() == model]
        near = get_close_matches(label, alike or labels[:_MOST_COMPARED], n=3, cutoff=0.3)
        raise UnknownName(
            f"no option is labelled {label!r}",
            cause="labels are printed in full by the plan, and in its JSON",
            hint="for example " + ", ".join(near) if near else "breakeven plan WORKLOAD --format json",
        )

    def label(self, row: int) -> str:
        """The row's label."""
        place = self.place(row)
        return self.tables[place.table].label(place.row)

    def curve(self, row: int) -> CostCurve:
        """The row's exact cost curve."""
        place = self.place(row)
        return self.tables[place.table].curve(place.row)

    def option(self, row: int) -> Option:
        """The row as a full option; one that may not be recommended says why."""
        place = self.place(row)
        return replace(self.tables[place.table].option(place.row), refused=self._refused(place))

    def named(self, label: str) -> int:
        """The row with this label, which may be one that is not recommended, if its cost means something.

        Raises:
            UnknownName: no candidate has it.
            NothingFits: the row cannot serve this workload.
        """
        row = self.row(label)
        place = self.place(row)
        table = self.tables[place.table]
        code = int(table.refusal[place.row])
        if code and not table.has_cost(code):
            raise NothingFits(
                f"{label} cannot serve this workload",
                cause=self._refused(place),
                hint="breakeven plan WORKLOAD, which shows the options that can",
            )
        return row

    def _refused(self, place: Place) -> str:
        """Why the row may not be recommended, or an empty text."""
        table = self.tables[place.table]
        code = int(table.refusal[place.row])
        return table.refusal_reasons[code - 1] if code else ""

    def cheapest_of_each_group(self, rows: Ints) -> list[int]:
        """The cheapest row of each group among these rows, cheapest first."""
        ordered = rows[np.argsort(self.usd_per_month[rows], kind="stable")]
        _, first = np.unique(self.group[ordered], return_index=True)
        rows_by_cost: list[int] = ordered[np.sort(first)].tolist()
        return rows_by_cost


class Contenders:
    """The cost curves of the admissible rows that some volume could make cheapest."""

    def __init__(self, market: Market) -> None:
        self._market = market
        self._parts = [_contenders(table) for table in market.tables]
        self.columns = CurveColumns.stack(
            [table.columns.take(rows) for table, rows in zip(market.tables, self._parts, strict=True)]
        )

    @cached_property
    def rows(self) -> Ints:
        """Rows of the market, ascending, one for each of ``columns``."""
        return np.concatenate([part + first for part, first in zip(self._parts, self._market.offsets, strict=True)])

    def exact(self, row: int) -> CostCurve:
        """The exact curve of one of ``columns``' rows."""
        return self._market.curve(int(self.rows[row]))


def _contenders(table: Candidates) -> Ints:
    admissible = np.flatnonzero(table.refusal == 0)
    rows: Ints = admissible[table.columns.take(admissible).undominated()]
    return rows
