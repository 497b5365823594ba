from __future__ import annotations

from collections import Counter

from hypothesis import assume, given
from hypothesis import strategies as st

from breakeven.policy.balance import Deployment, bound, choose
from breakeven.policy.breaker import Breaker, BreakerRule
from breakeven.policy.headroom import Headroom

NOW_S = 100.0
names = st.lists(st.text("abcdef", min_size=1, max_size=4), min_size=2, max_size=6, unique=True)
prefixes = st.binary(max_size=20)


def deployment(name: str, weight: float = 1.0, *, broken: bool = False, left: int | None = None) -> Deployment:
    made = Deployment(name, Breaker(BreakerRule(min_requests=1)), weight)
    if broken:
        made.breaker.record(NOW_S, failed=True)
    if left is not None:
        made.observed(Headroom(remaining_requests=left, requests_reset_s=60.0), NOW_S)
    return made


def first(deployments: list[Deployment], prefix: bytes = b"", ticket: bytes = b"") -> Deployment:
    return choose(deployments, prefix=prefix, tokens=100, now_s=NOW_S, ticket=ticket).order[0]


@st.composite
def fleets(draw: st.DrawFn) -> list[Deployment]:
    fleet = []
    for name in draw(names):
        made = deployment(name, draw(st.sampled_from([0.0, 0.5, 1.0, 4.0])), broken=draw(st.booleans()))
        made.in_flight = draw(st.integers(0, 100))
        if draw(st.booleans()):
            made.observed(
                Headroom(
                    remaining_requests=draw(st.none() | st.integers(0, 5)),
                    remaining_tokens=draw(st.none() | st.integers(0, 500)),
                ),
                NOW_S,
            )
        fleet.append(made)
    return fleet


@given(fleets(), prefixes, st.binary(max_size=8))
def test_every_deployment_is_in_the_order_once_and_none_that_is_worse_comes_before_a_better_one(
    fleet: list[Deployment], prefix: bytes, ticket: bytes
) -> None:
    choice = choose(fleet, prefix=prefix, tokens=100, now_s=NOW_S, ticket=ticket)
    assert sorted(each.name for each in choice.order) == sorted(each.name for each in fleet)
    ranks = []
    for each in choice.order:
        room = each.room(100, NOW_S)
        full = room is not None and room < 1
        ranks.append(2 if each.breaker.state(NOW_S) == "open" else 1 if full else 0)
    assert ranks == sorted(ranks)
    again = choose(fleet[::-1], prefix=prefix, tokens=100, now_s=NOW_S, ticket=ticket)
    assert again == choice, "the order in which deployments are configured decides nothing"


@given(names, prefixes, st.integers(0, 5))
def test_a_prefix_moves_only_where_its_own_deployment_goes_away(names: list[str], prefix: bytes, gone: int) -> None:
    assume(prefix)
    fleet = [deployment(name) for name in names]
    home = first(fleet, prefix)
    assume(gone < len(fleet) and fleet[gone] is not home)
    left = [each for each in fleet if each is not fleet[gone]]
    assert first(left, prefix) is home
    fleet[gone].observed(Headroom(remaining_requests=0), NOW_S)
    assert first(fleet, prefix) is home


@given(names, prefixes, st.binary(min_size=1, max_size=8), st.binary(min_size=1, max_size=8))
def test_equal_prefixes_meet_whatever_the_ticket(names: list[str], prefix: bytes, one: bytes, other: bytes) -> None:
    assume(prefix)
    fleet = [deployment(name) for name in names]
    assert first(fleet, prefix, one) is first(fleet, prefix, other)


def test_prefixes_and_tickets_are_dealt_out_by_weight() -> None:
    fleet = [deployment("a", 1.0), deployment("b", 1.0), deployment("c", 2.0)]
    for key in ("prefix", "ticket"):
        counts = Counter(first(fleet, **{key: b"%d" % number}).name for number in range(4_000))
        assert abs(counts["a"] - 1_000) < 130
        assert abs(counts["b"] - 1_000) < 130
        assert abs(counts["c"] - 2_000) < 160


def test_without_a_prefix_who_has_more_left_gets_more() -> None:
    fleet = [deployment("a", left=900), deployment("b", left=100)]
    counts = Counter(first(fleet, ticket=b"%d" % number).name for number in range(2_000))
    assert abs(counts["a"] - 1_800) < 80


def test_without_a_prefix_who_has_less_to_do_gets_more() -> None:
    fleet = [deployment("a"), deployment("b")]
    fleet[0].in_flight = 9
    counts = Counter(first(fleet, ticket=b"%d" % number).name for number in range(2_000))
    assert counts["b"] > 1_700


def test_a_deployment_clearly_busier_than_the_others_loses_its_prefixes_until_it_is_not() -> None:
    fleet = [deployment(name) for name in "abc"]
    home = first(fleet, b"prefix")
    for each in fleet:
        each.in_flight = 10
    home.in_flight = 14  # the 35th request would make it 15, and ceil(1.25 * 35 / 3) is 15
    assert first(fleet, b"prefix") is home
    home.in_flight = 15  # the 36th would make it 16, and ceil(1.25 * 36 / 3) is 15
    moved = choose(fleet, prefix=b"prefix", tokens=1, now_s=NOW_S, ticket=b"")
    assert moved.order[0] is not home
    assert moved.order[2] is home
    assert moved.reason == "balanced"
    home.in_flight = 10
    assert choose(fleet, prefix=b"prefix", tokens=1, now_s=NOW_S, ticket=b"").reason == "affinity"


def test_what_is_sent_is_taken_off_what_was_said_to_be_left_until_the_window_is_whole_again() -> None:
    one = deployment("a")
    said = Headroom(remaining_requests=2, remaining_tokens=1_000, limit_requests=50, requests_reset_s=30.0)
    one.observed(said, NOW_S)
    assert one.room(100, NOW_S) == 2
    one.began(950, NOW_S)
    assert one.room(100, NOW_S) == 0.5
    one.ended()
    assert one.room(10, NOW_S + 31) == 5
    assert one.room(10, NOW_S + 61) == 49
    one.observed(Headroom(retry_after_s=5.0), NOW_S)
    assert one.room(10, NOW_S + 4.9) == 0
    assert one.room(10, NOW_S + 5.0) is None


def test_a_deployment_on_trial_gets_one_request() -> None:
    sick, well = deployment("a", broken=True), deployment("b", 0.0)
    later_s = NOW_S + 6
    choice = choose([sick, well], prefix=b"", tokens=1, now_s=later_s, ticket=b"1")
    assert choice.order[0] is sick
    sick.began(1, later_s)
    assert choose([sick, well], prefix=b"", tokens=1, now_s=later_s, ticket=b"1").order[0] is well


# -- bounded loads ----------------------------------------------------------------------------------------------------


@given(
    st.lists(st.sampled_from([0.5, 1.0, 4.0]), min_size=2, max_size=6),
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9)), min_size=1, max_size=250),
)
def test_no_deployment_gets_more_than_its_bound_and_a_prefix_stays_while_its_home_is_under_it(
    weights: list[float], events: list[tuple[int, int]]
) -> None:
    """Requests of four prefixes come and go, in any order and however many of one prefix."""
    fleet = [deployment(f"d{number}", weight) for number, weight in enumerate(weights)]
    homes = {number: first(fleet, b"prefix%d" % number) for number in range(4)}
    under_way: list[Deployment] = []
    for number, ends in events:
        choice = choose(fleet, prefix=b"prefix%d" % number, tokens=1, now_s=NOW_S, ticket=b"")
        taken = choice.order[0]
        allowed = bound(taken, fleet)
        has_room = homes[number].in_flight < bound(homes[number], fleet)
        assert (taken is homes[number]) == has_room == (choice.reason == "affinity")
        taken.in_flight += 1
        assert taken.in_flight <= allowed
        under_way.append(taken)
        if ends < 3:
            under_way.pop(ends % len(under_way)).in_flight -= 1


@given(st.lists(st.sampled_from([0.0, 0.5, 1.0, 4.0]), min_size=2, max_size=6), st.integers(1, 200))
def test_one_prefix_alone_is_spread_as_evenly_as_the_bound_says(weights: list[float], requests: int) -> None:
    """A house with one system prompt: all of its requests begin alike, and all of its deployments serve them."""
    assume(any(weights))
    fleet = [deployment(f"d{number}", weight) for number, weight in enumerate(weights)]
    for _ in range(requests):
        first(fleet, b"the one prompt").in_flight += 1
    for each in fleet:
        share = each.weight / sum(weights)
        assert each.in_flight <= max(8 if share else 0, 1.25 * requests * share + 1)


@given(fleets())
def test_not_all_are_at_their_bounds(fleet: list[Deployment]) -> None:
    assert any(each.in_flight < bound(each, fleet) for each in fleet)


def test_a_few_requests_that_begin_alike_stay_together() -> None:
    fleet = [deployment("a"), deployment("b")]
    home = first(fleet, b"prefix")
    for _ in range(8):
        first(fleet, b"prefix").in_flight += 1
    assert home.in_flight == 8
    assert first(fleet, b"prefix") is not home


def test_those_that_move_go_where_their_prefix_is_second() -> None:
    fleet = [deployment(name) for name in "abcd"]
    order = choose(fleet, prefix=b"prefix", tokens=1, now_s=NOW_S, ticket=b"").order
    order[0].in_flight = 20
    moved = [choose(fleet, prefix=b"prefix", tokens=1, now_s=NOW_S, ticket=b"%d" % number) for number in range(5)]
    assert {each.order[0] for each in moved} == {order[1]}
    assert all(each.order == (*order[1:], order[0]) for each in moved)
