"""Commitments: exact against trying everything, never dearer than simpler ways, and to the nano-dollar."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from itertools import product
from math import ceil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from breakeven import units
from breakeven.catalog.offers import PurchaseOption, PurchasePrice
from breakeven.errors import InputError, NothingFits, Unavailable
from breakeven.plan import commitments, integer_program
from breakeven.plan.commitments import Supply, commit
from breakeven.plan.purchase_split import PurchaseProblem, split_by_layers, split_by_levels, split_by_program

CENTS = st.integers(min_value=1, max_value=900).map(lambda cents: Decimal(cents) / 100)


def price(option: PurchaseOption, usd_per_h: Decimal | str) -> PurchasePrice:
    usd = Decimal(usd_per_h)
    return PurchasePrice(
        option=option, usd_per_h=usd, low_usd_per_h=usd, high_usd_per_h=usd, basis="quoted", source="a test"
    )


def supply(
    name: str, carries: tuple[float, ...], on_demand: Decimal | str, *others: PurchasePrice, **limits: int
) -> Supply:
    return Supply(name=name, carries=carries, prices=(price("on_demand", on_demand), *others), **limits)


@st.composite
def supplies(draw: st.DrawFn, kinds: int = 1, most: int = 3) -> list[Supply]:
    found = []
    for number in range(draw(st.integers(min_value=1, max_value=most))):
        on_demand = draw(CENTS)
        others = [price("reserved_1y", on_demand * draw(st.integers(30, 100)) / 100)] if draw(st.booleans()) else []
        others += [price("spot", on_demand * draw(st.integers(10, 110)) / 100)] if draw(st.booleans()) else []
        carries = tuple(draw(st.integers(1, 4)) / 2 for _ in range(kinds))
        limits = {
            "most_spot_instances": draw(st.integers(0, 2)),
            "fewest_reserved_instances": draw(st.integers(1, 2)),
        }
        found.append(supply(f"type-{number}", carries, on_demand, *others, **limits))
    return found


def demands(kinds: int = 1, hours: int = 5, most: int = 4) -> st.SearchStrategy[np.ndarray]:
    row = st.tuples(*[st.integers(0, 2 * most).map(lambda halves: halves / 2)] * kinds)
    return st.lists(row, min_size=1, max_size=hours).map(np.array)


def cheapest_hour(demand: tuple[float, ...], reserved: tuple[int, ...], sold: list[Supply]) -> Fraction:
    """Every number of on-demand and spot instances, and every way of sharing them between the kinds."""
    ways = []
    for each in sold:
        most = ceil(sum(d / c for d, c in zip(demand, each.carries, strict=True)) + len(demand))
        spot = each.price("spot")
        ways += [range(most + 1), range(min(each.most_spot_instances, most) + 1 if spot else 1)]
    best = None
    for counts in product(*ways):
        held = [reserved[k] + counts[2 * k] + counts[2 * k + 1] for k in range(len(sold))]
        usd = Fraction(0)
        for k, each in enumerate(sold):
            on_demand, spot = each.price("on_demand"), each.price("spot")
            assert on_demand is not None
            usd += counts[2 * k] * Fraction(on_demand.usd_per_h)
            usd += counts[2 * k + 1] * Fraction(spot.usd_per_h if spot else 0)
        if (best is None or usd < best) and serves(demand, held, sold):
            best = usd
    assert best is not None
    return best


def serves(demand: tuple[float, ...], held: list[int], sold: list[Supply]) -> bool:
    """Whether whole instances can be parted between the kinds so that each is served."""
    parted = product(*(parts(count, len(demand)) for count in held))
    return any(
        all(
            sum(each[c] * one.carries[c] for each, one in zip(way, sold, strict=True)) >= demand[c] - 1e-9
            for c in range(len(demand))
        )
        for way in parted
    )


def parts(count: int, kinds: int) -> list[tuple[int, ...]]:
    return [way for way in product(range(count + 1), repeat=kinds) if sum(way) == count]


def brute_force_usd_per_month(demand: np.ndarray, sold: list[Supply]) -> Decimal:
    """Every number of reservations of every type."""
    counts = []
    for each in sold:
        most = ceil(sum(demand[:, c].max() / each.carries[c] + 1 for c in range(demand.shape[1])))
        fewest = each.fewest_reserved_instances
        counts.append([0, *range(fewest, max(most, fewest) + 1)] if each.reserved else [0])
    totals = []
    for reserved in product(*counts):
        always = sum(
            (
                n * Fraction(each.reserved.usd_per_h if each.reserved else 0)
                for n, each in zip(reserved, sold, strict=True)
            ),
            Fraction(0),
        )
        hours = sum((cheapest_hour(tuple(row), reserved, sold) for row in demand.tolist()), Fraction(0))
        totals.append((always * len(demand) + hours) * units.HOURS_PER_MONTH / len(demand))
    return units.rounded_usd(min(totals))


def about(left: Decimal, right: Decimal) -> bool:
    """Equal but for each line's own rounding to nano-dollars."""
    return abs(left - right) <= Decimal("1e-8")


@given(demands(), supplies(most=2))
def test_brute_force_finds_nothing_cheaper(demand: np.ndarray, sold: list[Supply]) -> None:
    assert about(commit(demand, sold).usd_per_month, brute_force_usd_per_month(demand, sold))


@given(demands(kinds=2, hours=2, most=1), supplies(kinds=2, most=2))
def test_brute_force_finds_nothing_cheaper_for_two_kinds_of_demand(demand: np.ndarray, sold: list[Supply]) -> None:
    plan = commit(demand, sold)
    assert about(plan.usd_per_month, brute_force_usd_per_month(demand, sold))
    assert plan.usd_per_month - plan.proved_usd_per_month < Decimal("0.000001")


@given(demands(hours=24, most=30), supplies())
def test_no_plan_is_dearer_than_a_simpler_one(demand: np.ndarray, sold: list[Supply]) -> None:
    plan = commit(demand, sold)
    assert {each.name for each in plan.alternatives} >= {"all on demand", "layer by layer, one type"}
    assert all(plan.usd_per_month <= each.usd_per_month + Decimal("1e-8") for each in plan.alternatives)
    assert all(each.usd_per_month_saved <= Decimal("1e-8") for each in plan.marginals)
    assert plan.if_halved.usd_per_month_lost >= 0


@given(demands(hours=8, most=6), supplies())
def test_the_search_over_levels_and_the_program_agree(demand: np.ndarray, sold: list[Supply]) -> None:
    problem = problem_of(demand, sold)
    assert problem.usd(split_by_levels(problem)) == pytest.approx(problem.usd(split_by_program(problem)), abs=1e-6)


def problem_of(demand: np.ndarray, sold: list[Supply]) -> PurchaseProblem:
    def usd(found: PurchasePrice | None) -> float:
        return float(found.usd_per_h) if found else float("inf")

    return PurchaseProblem(
        demand=demand,
        carries=np.array([each.carries for each in sold]),
        reserved_usd_per_h=np.array([usd(each.reserved) for each in sold]),
        on_demand_usd_per_h=np.array([usd(each.price("on_demand")) for each in sold]),
        spot_usd_per_h=np.array([usd(each.price("spot")) for each in sold]),
        most_spot=np.array([each.most_spot_instances for each in sold]),
        fewest_reserved=np.array([each.fewest_reserved_instances for each in sold]),
    )


@given(st.lists(st.integers(0, 12), min_size=1, max_size=48), st.integers(1, 99))
def test_a_layer_is_reserved_where_its_hours_cost_more_than_the_reservation(needed: list[int], percent: int) -> None:
    """The closed form: reserve the r-th instance iff the share of hours that need it exceeds reserved / on demand."""
    sold = supply("one", (1.0,), "1.00", price("reserved_1y", Decimal(percent) / 100))
    expected = sum(100 * sum(n >= layer for n in needed) > percent * len(needed) for layer in range(1, 13))
    assert commit(np.array(needed), [sold]).instances("reserved_1y") == expected


def test_an_office_day() -> None:
    """Ten instances for eight hours, two for the rest: the two that never stop are worth reserving, no other."""
    day = np.array([2] * 16 + [10] * 8)
    sold = supply("h100", (1.0,), "4.00", price("reserved_1y", "2.00"), price("spot", "1.60"), most_spot_instances=3)
    plan = commit(day, [sold])
    third = Fraction(730, 3)
    held = {each.price.option: (each.instances, each.instance_hours_per_month) for each in plan.bought}
    assert held == {"reserved_1y": (2, 1460), "spot": (3, 3 * third), "on_demand": (5, 5 * third)}
    assert plan.usd_per_month == Decimal(2920 + 1168) + units.rounded_usd(20 * third)
    assert {each.name: each.usd_per_month for each in plan.alternatives} == {
        "all on demand": units.rounded_usd(4 * 730 * (2 + Fraction(8, 3))),
        "all reserved": Decimal(14_600),
        "layer by layer, one type": units.rounded_usd(Fraction(plan.usd_per_month)),
    }
    # A third reservation idles for 16 hours of 24 and replaces one on demand for 8.
    (marginal,) = plan.marginals
    assert marginal.reserved_instances == 3
    assert marginal.usd_per_month_saved == units.rounded_usd(4 * third - 1460)
    # At half the volume one is enough at night: the second is used for 8 hours, where on demand would cost less.
    assert plan.if_halved.usd_per_month_lost == units.rounded_usd(1460 - 4 * third)
    (reserved,) = (each for each in plan.bought if each.price.option == "reserved_1y")
    assert reserved.owed_usd == Decimal(2920 * 12)


def test_the_longest_reservation_is_taken_where_it_is_cheapest() -> None:
    sold = supply("a", (1.0,), "4.00", price("reserved_1y", "2.48"), price("reserved_3y", "1.40"))
    plan = commit(np.ones(24), [sold])
    (bought,) = plan.bought
    assert (bought.price.option, bought.owed_usd) == ("reserved_3y", Decimal("1.40") * 730 * 36)


def test_several_types_beat_the_best_one() -> None:
    """A big instance for the trough and a small one for the rest, where neither alone fits both."""
    big = supply("big", (4.0,), "3.50", price("reserved_1y", "2.00"))
    small = supply("small", (1.0,), "1.00", price("reserved_1y", "0.70"))
    plan = commit(np.array([4.0] * 20 + [5.0] * 4), [big, small])
    assert {(each.supply, each.price.option, each.instances) for each in plan.bought} == {
        ("big", "reserved_1y", 1),
        ("small", "on_demand", 1),
    }
    assert all(plan.usd_per_month < each.usd_per_month for each in plan.alternatives)


def test_lines_add_up_to_the_total() -> None:
    sold = supply("a", (1.0,), "1.2345", price("reserved_1y", "0.7777"))
    plan = commit(np.array([1, 2, 3, 3, 3, 7]), [sold])
    assert sum(line.usd_per_month for line in plan.statement.lines) == plan.usd_per_month == plan.proved_usd_per_month
    assert [line.label for line in plan.statement.lines] == ["a, reserved_1y", "a, on_demand"]


def test_no_demand_buys_nothing() -> None:
    plan = commit(np.zeros(24), [supply("a", (1.0,), "1.00", price("reserved_1y", "0.50"))])
    assert plan.bought == ()
    assert plan.usd_per_month == 0


@pytest.mark.parametrize("demand", [[], [-1.0], [float("nan")], [float("inf")]])
def test_a_demand_that_is_no_demand_is_refused(demand: list[float]) -> None:
    with pytest.raises(InputError, match="at least 0"):
        commit(np.array(demand), [supply("a", (1.0,), "1.00")])


def test_what_cannot_be_served_is_said() -> None:
    with pytest.raises(NothingFits, match="no instance type serves"):
        commit(np.array([[1.0, 1.0]]), [supply("a", (1.0, 0.0), "1.00")])


def test_a_type_without_on_demand_price_is_refused() -> None:
    reserved_only = Supply(name="a", carries=(1.0,), prices=(price("reserved_1y", "1.00"),))
    with pytest.raises(InputError, match="on-demand price"):
        commit(np.ones(1), [reserved_only])


def test_two_kinds_of_demand_share_reservations_from_hour_to_hour() -> None:
    """Day traffic of one model and night traffic of another need one reservation, not two; a type may lack a kind."""
    both = supply("both", (1.0, 1.0), "2.00", price("reserved_1y", "1.00"), fewest_reserved_instances=1)
    one = supply("one", (1.0, 0.0), "1.90", price("spot", "1.80"), most_spot_instances=1)
    plan = commit(np.array([[1.0, 0.0]] * 12 + [[0.0, 1.0]] * 12), [both, one])
    assert [(each.supply, each.price.option, each.instances) for each in plan.bought] == [("both", "reserved_1y", 1)]


def test_a_search_that_was_cut_short_says_what_it_proved(monkeypatch: pytest.MonkeyPatch) -> None:
    sold = supply("a", (1.0,), "1.00", price("reserved_1y", "0.50"))
    cut_short = replace(split_by_layers(problem_of(np.ones((4, 1)), [sold])), proved_usd=1.5)
    monkeypatch.setattr(commitments, "best_split", lambda *_, **__: cut_short)
    plan = commit(np.ones(4), [sold])
    assert plan.usd_per_month == 365
    assert plan.proved_usd_per_month == units.rounded_usd(Fraction(3, 2) * 730 / 4)


def test_without_any_time_a_simple_plan_is_left_and_nothing_is_proved() -> None:
    sold = [
        supply("a", (1.0, 1.3), "1.00", price("reserved_1y", "0.50")),
        supply("b", (2.1, 0.7), "1.30", price("reserved_1y", "0.70")),
    ]
    demand = np.random.default_rng(1).random((60, 2)) * 20
    plan = commit(demand, sold, time_limit_s=0.0)
    assert plan.usd_per_month <= min(each.usd_per_month for each in plan.alternatives)
    assert plan.proved_usd_per_month <= plan.usd_per_month
    assert plan.if_halved.usd_per_month_lost >= 0


def test_without_any_time_and_without_a_simple_plan_there_is_none() -> None:
    sold = [supply("a", (1.0, 0.0), "1.00"), supply("b", (0.0, 1.0), "1.30")]
    with pytest.raises(NothingFits, match="no purchase"):
        commit(np.random.default_rng(1).random((60, 2)) * 20, sold, time_limit_s=0.0)


def test_a_missing_solver_is_said_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(integer_program, "import_module", missing)
    sold = [supply("a", (1.0, 1.0), "1.00"), supply("b", (1.0, 1.0), "1.00")]
    with pytest.raises(Unavailable) as refused:
        commit(np.ones((2, 2)), sold)
    assert "breakeven[optimize]" in (refused.value.hint or "")


def test_two_weeks_of_real_traffic_on_three_types_are_solved_exactly(shared_data: object) -> None:
    """The same total as trying each reservation of the cheapest type with the others by the hour; a few seconds."""
    rates = np.genfromtxt(f"{shared_data}/traces/servegen_rate_10min.csv", delimiter=",", skip_header=1, dtype=str)
    hourly = rates[rates[:, 0] == "m-large", 2].astype(float).reshape(-1, 6).max(axis=1)
    sold = [
        supply("small", (1.0,), "1.00", price("reserved_1y", "0.60"), price("spot", "0.40"), most_spot_instances=4),
        supply("middle", (2.7,), "2.50", price("reserved_1y", "1.50"), price("spot", "1.00"), most_spot_instances=4),
        supply("large", (6.1,), "5.30", price("reserved_1y", "3.18"), price("spot", "2.12"), most_spot_instances=4),
    ]
    plan = commit(hourly / 4, sold)
    assert plan.hours == 336
    assert all(plan.usd_per_month < each.usd_per_month for each in plan.alternatives)
