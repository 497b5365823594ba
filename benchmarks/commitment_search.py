"""What to reserve for two weeks of hours: the search over levels beside the same question as one integer program.

python benchmarks/commitment_search.py
"""

from __future__ import annotations

from measure import Figure, least_s, milliseconds, report, timed
from traces import SHARED

from breakeven.plan.purchase_split import PurchaseProblem, Split, split_by_layers, split_by_levels, split_by_program
from breakeven.workload.rate_table import read_rates

TIME_LIMIT_S = 10.0
RATES = SHARED / "data/traces/servegen_rate_10min.csv"


def problem(types: int) -> PurchaseProblem:
    """The busiest ten minutes of each hour of ServeGen's m-large, on instances of three sizes, spot limited to four."""
    import numpy as np

    hourly = read_rates(RATES, "m-large").reshape(-1, 6).max(axis=1)
    on_demand = np.array([1.0, 2.5, 5.3])[:types]
    return PurchaseProblem(
        demand=hourly[:, None],
        carries=np.array([[1.0], [2.7], [6.1]])[:types],
        reserved_usd_per_h=0.6 * on_demand,
        on_demand_usd_per_h=on_demand,
        spot_usd_per_h=0.4 * on_demand,
        most_spot=np.full(types, 4),
        fewest_reserved=np.ones(types, dtype=np.int64),
    )


def main() -> None:
    """Solve, check against each other, print."""
    if not RATES.exists():
        print(f"### What to reserve\n\nnot measured: the rates are not at {RATES}\n")
        return
    one, three = problem(1), problem(3)
    layers = timed(lambda: split_by_layers(one))
    levels = timed(lambda: split_by_levels(three), repeats=3)
    splits: list[Split] = []
    programs = timed(lambda: splits.append(split_by_program(three, time_limit_s=TIME_LIMIT_S)), repeats=1)
    exact, found = three.usd(split_by_levels(three)), splits[0]
    above, proved = three.usd(found) / exact - 1, exact / (found.proved_usd or exact) - 1
    same = abs(one.usd(split_by_layers(one)) / one.usd(split_by_levels(one)) - 1) < 1e-9
    report(
        "What to reserve, 336 hours, peak of 583 small instances",
        [
            Figure(
                what="one type, closed form",
                figure=f"{milliseconds(least_s(layers))} CPU",
                beside=f"{'the same total as' if same else 'NOT the total of'} the search over levels",
            ),
            Figure(
                what="three types, search over levels", figure=f"{milliseconds(least_s(levels))} CPU", beside="exact"
            ),
            Figure(
                what="three types, integer program (HiGHS)",
                figure=f"{milliseconds(least_s(programs))} CPU",
                beside=f"cut at {TIME_LIMIT_S:g} s: {above:.2%} dearer, its bound {proved:.2%} below the exact total",
            ),
        ],
    )


if __name__ == "__main__":
    main()
