"""Metrics in the Prometheus data model: a moment of the gateway as families of samples."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, get_args

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from breakeven import units
from breakeven.gateway.cache_metrics import CacheMoment, cache_families
from breakeven.gateway.histogram import Histogram
from breakeven.gateway.ledger_counters import SUMS, Counted, Group, Timed
from breakeven.gateway.upstream_report import UpstreamState
from breakeven.ledger.sqlite_ledger import LedgerHealth
from breakeven.ledger.totals import SAVED
from breakeven.policy.breaker import BreakerState
from breakeven.policy.budget import BudgetState
from breakeven.policy.scope import ScopeKind

TOKENS: Final[Mapping[str, str]] = {name.removesuffix("_tokens"): name for name in SUMS if name.endswith("_tokens")}
"""The kinds of tokens, by the label that says them."""

_NAMED_BUDGETS: Final[frozenset[ScopeKind]] = frozenset({"tenant", "team", "model"})
"""Budgets that have series of their own; those of keys, users and tags are added up, for there is no end of them."""

_PARTS: Final = (
    "input includes cache_read, cache_write and audio, output includes reasoning and audio: do not add these up"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """What metrics are made of. ``refusals`` counts by code since this process began.

    ``cache`` is None where there never was one.
    """

    counted: Counted
    health: LedgerHealth
    refusals: Mapping[str, int]
    requests_under_way: int
    budgets: Sequence[BudgetState]
    upstreams: Sequence[UpstreamState]
    cache: CacheMoment | None = None


def families(moment: Moment) -> Iterator[Metric]:
    """Every family of a moment."""
    yield from _ledger_sums(moment.counted)
    yield _histogram(
        "breakeven_attempt_duration_seconds", "Seconds from sending to the end of the answer", moment.counted.durations
    )
    yield _histogram(
        "breakeven_time_to_first_token_seconds", "Seconds from sending to the first of the answer", moment.counted.ttfts
    )
    yield from _ledger_state(moment.health)
    yield _gauge("breakeven_requests_under_way", "Requests that are not answered yet", moment.requests_under_way)
    refusals = CounterMetricFamily("breakeven_refusals", "Requests that were not served, by code", labels=["code"])
    for code, count in sorted(moment.refusals.items()):
        refusals.add_metric([code], count)
    yield refusals
    yield from _budgets(moment.budgets)
    yield from _upstreams(moment.upstreams)
    if moment.cache is not None:
        yield from cache_families(moment.cache)


def _ledger_sums(counted: Counted) -> Iterator[Metric]:
    """What ``breakeven ledger totals --by tenant,model,deployment,outcome,served_from`` says, as counters."""
    labels = list(Group._fields)
    rows = sorted(counted.sums.items())
    for column, name, told in (
        ("requests", "breakeven_requests", "Requests in the ledger, each with its first attempt"),
        ("attempts", "breakeven_attempts", "Attempts in the ledger"),
        ("nano_usd", "breakeven_cost_nano_usd", "Effective cost in nano-dollars, which budgets count"),
        ("list_nano_usd", "breakeven_list_cost_nano_usd", "Cost at published prices in nano-dollars"),
        ("baseline_nano_usd", "breakeven_baseline_cost_nano_usd", "Cost of the requested models in nano-dollars"),
    ):
        family = CounterMetricFamily(name, told, labels=labels)
        for group, sums in rows:
            family.add_metric(group, sums[SUMS.index(column)])
        yield family
    cost = CounterMetricFamily("breakeven_cost_usd", "Effective cost in US dollars, as a float", labels=labels)
    tokens = CounterMetricFamily("breakeven_tokens", f"Tokens by kind; {_PARTS}", labels=[*labels, "kind"])
    for group, sums in rows:
        cost.add_metric(group, float(units.usd(sums[SUMS.index("nano_usd")])))
        for kind, column in TOKENS.items():
            tokens.add_metric([*group, kind], sums[SUMS.index(column)])
    yield cost
    yield tokens
    yield _saved(rows)


def _saved(rows: Sequence[tuple[Group, list[int]]]) -> Metric:
    """A gauge: what is written to a provider's cache costs before it saves, so the sum can go down."""
    family = GaugeMetricFamily(
        "breakeven_saved_nano_usd",
        "Saved by each lever in nano-dollars; prompt_cache_anyway was saved without the gateway",
        labels=[*Group._fields, "lever"],
    )
    for group, sums in rows:
        for lever, column in SAVED.items():
            family.add_metric([*group, lever], sums[SUMS.index(column)])
    return family


def _histogram(name: str, told: str, times: Mapping[Timed, Histogram]) -> Metric:
    family = HistogramMetricFamily(name, f"{told}, since this process began", labels=list(Timed._fields))
    for timed, histogram in sorted(times.items()):
        family.add_metric(timed, histogram.cumulative(), histogram.total_s)
    return family


def _ledger_state(health: LedgerHealth) -> Iterator[Metric]:
    yield _gauge("breakeven_ledger_up", "1 where the ledger can be written", int(health.failure is None))
    yield _gauge("breakeven_ledger_backlog_rows", "Journal rows that are not in the ledger yet", health.backlog_rows)
    yield _gauge("breakeven_journal_bytes", "Size of the journal on disk", health.journal_bytes)
    yield _gauge("breakeven_backlog_age_seconds", "Seconds that entries have waited for SQLite", health.backlog_age_s)
    yield _gauge("breakeven_holds", "Requests with money set aside", health.holds)
    yield _gauge("breakeven_holds_nano_usd", "Money set aside for them, nano-dollars", health.holds_nano_usd)
    yield _counter(
        "breakeven_degraded_admissions",
        "Requests admitted while the ledger could not be written",
        health.degraded_holds,
    )
    yield _counter("breakeven_unjournaled_records", "Records that the journal did not take", health.unjournaled_records)
    yield _counter("breakeven_repeated_entries", "Entries that were in the ledger already", health.repeated_entries)
    yield _gauge(
        "breakeven_recovered_entries", "Entries carried over from a killed process at start", health.recovered_entries
    )
    yield _gauge(
        "breakeven_interrupted_entries", "Requests that a killed process left unanswered", health.interrupted_entries
    )


def _budgets(budgets: Sequence[BudgetState]) -> Iterator[Metric]:
    amounts: defaultdict[tuple[str, ...], list[int]] = defaultdict(lambda: [0, 0, 0])
    for state in budgets:
        scope, window = state.budget.scope, state.budget.window
        name = scope.name if scope.kind in _NAMED_BUDGETS else ""
        sums = amounts[scope.tenant, scope.kind, name, window.text]
        parts = (state.budget.limit_nano_usd, state.spent_nano_usd, state.reserved_nano_usd)
        sums[:] = [total + part for total, part in zip(sums, parts, strict=True)]
    for place, (amount, told) in enumerate(
        (("limit", "Limit of budgets"), ("spent", "Spent in their windows now"), ("reserved", "Set aside under them"))
    ):
        family = GaugeMetricFamily(
            f"breakeven_budget_{amount}_nano_usd",
            f"{told}; those of keys, users and tags added up",
            labels=["tenant", "kind", "name", "window"],
        )
        for names, sums in sorted(amounts.items()):
            family.add_metric(names, sums[place])
        yield family


def _upstreams(upstreams: Sequence[UpstreamState]) -> Iterator[Metric]:
    connections = GaugeMetricFamily(
        "breakeven_upstream_connections", "Connections, and requests waiting for one", labels=["upstream", "state"]
    )
    under_way = GaugeMetricFamily(
        "breakeven_upstream_requests_under_way", "Requests at a deployment", labels=["upstream", "model"]
    )
    breakers = GaugeMetricFamily(
        "breakeven_breaker_state", "1 for the state that a breaker is in", labels=["upstream", "model", "state"]
    )
    for upstream in upstreams:
        counts = upstream.connections
        if counts is not None:
            for state in ("active", "idle", "opening", "waiting"):
                connections.add_metric([upstream.name, state], getattr(counts, state))
        for each in upstream.deployments:
            under_way.add_metric([upstream.name, each.model], each.requests_under_way)
            for state in get_args(BreakerState):
                breakers.add_metric([upstream.name, each.model, state], int(each.breaker == state))
    yield from (connections, under_way, breakers)


def _gauge(name: str, told: str, value: float) -> Metric:
    return GaugeMetricFamily(name, told, value=value)


def _counter(name: str, told: str, value: float) -> Metric:
    return CounterMetricFamily(name, f"{told}, since this process began", value=value)
