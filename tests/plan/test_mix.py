"""Mixed GPU types: exact against trying every number of instances, and never dearer than the best single type."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from itertools import product
from math import ceil, inf

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from breakeven.catalog.offers import PurchasePrice
from breakeven.errors import InputError, NothingFits
from breakeven.plan.mix import Bucket, MixedType, mix, request_buckets, undominated


def instance(name: str, usd_per_h: Decimal | str, *rates: float) -> MixedType:
    usd = Decimal(usd_per_h)
    price = PurchasePrice(
        option="on_demand", usd_per_h=usd, low_usd_per_h=usd, high_usd_per_h=usd, basis="quoted", source="a test"
    )
    return MixedType(name=name, requests_per_s=rates, price=price)


def buckets(*rates: float) -> tuple[Bucket, ...]:
    return tuple(
        Bucket(
            name=f"size {place}",
            mean_input_tokens=100.0,
            mean_output_tokens=10.0,
            longest_input_tokens=100,
            longest_request_tokens=110,
            requests_per_s=rate,
        )
        for place, rate in enumerate(rates)
    )


RATES = st.sampled_from([0.0, 0.5, 1.0, 2.0, 3.0, 5.0, 8.0])


@st.composite
def questions(draw: st.DrawFn, types: int = 2) -> tuple[tuple[Bucket, ...], list[MixedType]]:
    count = draw(st.integers(1, 4))
    asked = buckets(*(draw(st.integers(1, 20)) / 4 for _ in range(count)))
    cents = st.integers(50, 900)
    offered = [
        instance(f"type {k}", Decimal(draw(cents)) / 100, *(draw(RATES) for _ in range(count))) for k in range(types)
    ]
    return asked, offered


@given(questions())
def test_brute_force_finds_nothing_cheaper(question: tuple[tuple[Bucket, ...], list[MixedType]]) -> None:
    asked, offered = question
    expected = brute_force_usd_per_h(asked, offered[0], offered[1])
    if expected is None:
        with pytest.raises(NothingFits):
            mix(asked, offered)
    else:
        plan = mix(asked, offered)
        assert plan.statement.usd_per_month == expected * 730
        assert plan.proved_usd_per_month == pytest.approx(expected * 730)


def brute_force_usd_per_h(asked: tuple[Bucket, ...], one: MixedType, other: MixedType) -> Decimal | None:
    """Every number of both: with two types, give the first what it does best by comparison until it is full."""
    most = [
        ceil(sum(b.requests_per_s / r for b, r in zip(asked, t.requests_per_s, strict=True) if r)) for t in (one, other)
    ]
    found = [
        n * one.price.usd_per_h + m * other.price.usd_per_h
        for n, m in product(range(most[0] + 1), range(most[1] + 1))
        if carries(asked, one, n, other, m)
    ]
    return min(found, default=None)


def carries(asked: tuple[Bucket, ...], one: MixedType, n: int, other: MixedType, m: int) -> bool:
    loads = [
        (b.requests_per_s / r if r else inf, b.requests_per_s / q if q else inf)
        for b, r, q in zip(asked, one.requests_per_s, other.requests_per_s, strict=True)
    ]
    room, left = float(n), 0.0
    for on_one, on_other in sorted(loads, key=lambda load: load[0] / load[1] if load[1] < inf else 0.0):
        taken = min(1.0, room / on_one) if on_one < inf else 0.0
        room -= taken * on_one if taken else 0.0
        if taken < 1 - 1e-9:
            left += (1 - taken) * on_other
    return left <= m + 1e-9


@given(questions(types=4))
def test_no_mix_is_dearer_than_one_type(question: tuple[tuple[Bucket, ...], list[MixedType]]) -> None:
    asked, offered = question
    if not all(any(each.requests_per_s[b] for each in offered) for b in range(len(asked))):
        return
    plan = mix(asked, offered)
    for each in offered:
        if all(each.requests_per_s):
            load = sum(
                Fraction(b.requests_per_s) / Fraction(r) for b, r in zip(asked, each.requests_per_s, strict=True)
            )
            assert plan.statement.usd_per_month <= each.price.usd_per_h * ceil(load) * 730
    served = np.sum([part.served_frac for part in plan.parts], axis=0)
    assert served == pytest.approx(np.ones(len(asked)))
    for part in plan.parts:
        rates = next(each.requests_per_s for each in offered if each.name == part.name)
        work = sum(f * b.requests_per_s / r for f, b, r in zip(part.served_frac, asked, rates, strict=True) if f > 1e-9)
        assert work <= part.instances + 1e-5


MELANGE = (
    buckets(6.0, 3.0, 15.0, 6.0),
    [instance("A10G", "1.01", 2, 1, 5, 2), instance("A100-80GB", "3.67", 20, 20, 40, 20)],
)
"""The example of Melange's own solver (melange-release, config/example.json): 30 requests per second."""


def test_melanges_own_example_in_whole_buckets() -> None:
    plan = mix(*MELANGE, slices_per_bucket=1)
    assert {part.name: part.instances for part in plan.parts} == {"A10G": 3, "A100-80GB": 1}
    assert plan.statement.usd_per_month == Decimal("6.70") * 730
    assert (plan.single_name, plan.single_instances) == ("A100-80GB", 2)
    assert plan.single_usd_per_month == Decimal("7.34") * 730


def test_a_router_may_split_a_bucket_which_costs_less() -> None:
    """An eighth of an A100's work is left; its best bucket for an A10G is eight times slower there: one A10G."""
    plan = mix(*MELANGE)
    assert {part.name: part.instances for part in plan.parts} == {"A10G": 1, "A100-80GB": 1}
    assert plan.statement.usd_per_month == Decimal("4.68") * 730
    (small,) = (part for part in plan.parts if part.name == "A10G")
    assert small.served_frac == pytest.approx((0, 0, 1 / 3, 0))


def test_a_type_that_cannot_serve_long_requests_serves_the_short_ones() -> None:
    plan = mix(buckets(4.0, 1.0), [instance("L4", "0.80", 4, 0), instance("H100", "4.00", 10, 1.5)])
    assert {part.name: (part.instances, part.served_frac) for part in plan.parts} == {
        "L4": (1, pytest.approx((0.9, 0), abs=0.11)),
        "H100": (1, pytest.approx((0.1, 1), abs=0.11)),
    }
    assert plan.single_usd_per_month == Decimal("8.00") * 730


def test_what_another_type_replaces_is_left_out() -> None:
    types = [instance("slow", "2.00", 1, 1), instance("fast", "2.00", 2, 1), instance("other", "1.00", 0, 3)]
    assert [each.name for each in undominated(types)] == ["other", "fast"]


def test_buckets_hold_every_request_once() -> None:
    inputs = np.array([10, 300, 255, 256, 20_000, 0])
    outputs = np.array([1, 100, 63, 64, 5_000, 10])
    found = request_buckets(inputs, outputs, 12.0)
    assert sum(bucket.requests_per_s for bucket in found) == pytest.approx(12.0)
    small = found[0]
    assert small.name == "0-256 in, 0-64 out"
    assert (small.requests_per_s, small.longest_input_tokens, small.longest_request_tokens) == (6.0, 255, 318)
    assert small.mean_input_tokens == pytest.approx(265 / 3)
    assert found[-1].name == "16,384+ in, 1,024+ out"


def test_requests_that_nothing_serves_are_named() -> None:
    with pytest.raises(NothingFits, match="size 1"):
        mix(buckets(1.0, 1.0), [instance("L4", "0.80", 4, 0)])


def test_rates_must_match_the_buckets() -> None:
    with pytest.raises(InputError):
        mix(buckets(1.0), [instance("L4", "0.80", 4, 0)])
    with pytest.raises(InputError):
        mix((), [])


def test_lines_add_up() -> None:
    plan = mix(*MELANGE)
    assert [(line.label, line.quantity) for line in plan.statement.lines] == [
        ("A10G, on_demand", 730),
        ("A100-80GB, on_demand", 730),
    ]
