"""What is remembered of prompts and bills is taken over at a start, kept apart, and bounded."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from breakeven.catalog.usage import Usage
from breakeven.ledger.marked_rows import MarkedRow
from breakeven.pipeline import prompt_marker
from breakeven.pipeline.prompt_marker import PromptMarker, Told
from breakeven.pipeline.target import BodyRules, Target
from breakeven.policy.gain_guard import GUARD_RULE
from breakeven.policy.prompt_cache_memory import OURS
from breakeven.upstreams.codecs import ENDPOINTS
from ledger.ledgers import entry

MODEL = "claude-sonnet-4-5"
NOW_S = 1_795_000_000.0
SYSTEM = "Be kind to whoever asks. " * 400
LOST = MarkedRow(
    tenant="acme", deployment="d", served_model=MODEL, started_at_ns=int(NOW_S) * 10**9, saved_nano_usd=-1_000
)


class Nowhere:
    name, wire = "nowhere", "anthropic"


class Ticking:
    """A clock that is a second later each time."""

    def __init__(self) -> None:
        self.now_s = NOW_S

    def __call__(self) -> float:
        self.now_s += 1
        return self.now_s


def target(**fields: Any) -> Target:
    upstream: Any = Nowhere()
    prices: Any = None
    return Target(name="d", upstream=upstream, model=MODEL, provider="anthropic", prices=prices, **fields)


def marked(marker: PromptMarker, requests: int, tenant: str = "acme", to: Target | None = None) -> Iterator[bool]:
    """Whether each of some requests with one system prompt is marked."""
    for number in range(requests):
        messages = [{"role": "user", "content": f"{tenant} {number}"}]
        body = json.dumps({"model": MODEL, "max_tokens": 5, "system": SYSTEM, "messages": messages}).encode()
        question = ENDPOINTS["messages"].question(body)
        yield marker.marked(tenant, question, to or target(), "/messages", body).marked_by == "gateway"


def test_what_was_lost_before_a_start_is_known_after_it() -> None:
    knowing, new = PromptMarker(Ticking()), PromptMarker(Ticking())
    knowing.recall([LOST] * GUARD_RULE.least_rows)
    assert any(marked(new, 300))
    assert not any(marked(knowing, 300))


def test_a_gain_before_a_start_stops_nothing() -> None:
    knowing = PromptMarker(Ticking())
    knowing.recall([LOST] * (GUARD_RULE.least_rows - 1) + [LOST._replace(saved_nano_usd=10**9)])
    assert any(marked(knowing, 300))


def test_losses_elsewhere_are_not_this_tenant_s() -> None:
    for other in ({"tenant": "other"}, {"deployment": "e"}, {"served_model": "claude-opus-5"}):
        knowing = PromptMarker(Ticking())
        knowing.recall([LOST._replace(**other)] * GUARD_RULE.least_rows)
        assert any(marked(knowing, 300))


def test_another_time_to_live_is_learned_anew() -> None:
    marker = PromptMarker(Ticking())
    assert any(marked(marker, 300))
    assert not next(marked(marker, 1, to=target(body_rules=BodyRules(cache_ttl="1h"))))


def test_only_so_many_tenants_are_remembered() -> None:
    marker = PromptMarker(Ticking())
    for number in range(prompt_marker.MOST_LEARNERS + 20):
        assert not any(marked(marker, 2, tenant=f"tenant {number}"))
    assert len(marker._learners) == prompt_marker.MOST_LEARNERS


def billed(marker: PromptMarker, told: Told, basis: str, read: int = 0, written: int = 0) -> None:
    usage = Usage(input_tokens=read + written, cache_read_tokens=read, cache_write_5m_tokens=written)
    marker.settled(told, entry("r", usage=usage, usage_basis=basis))


def test_the_policy_is_told_what_was_billed_however_often_it_was_tried() -> None:
    def saved_tokens(*bills: tuple[str, int, int]) -> float:
        marker = PromptMarker(Ticking())
        messages = [{"role": "user", "content": "Hi"}]
        body = json.dumps({"model": MODEL, "max_tokens": 5, "system": SYSTEM, "messages": messages}).encode()
        for _ in range(20):
            made = marker.marked("acme", ENDPOINTS["messages"].question(body), target(), "/messages", body)
        told = made.told
        assert told is not None
        assert told.accounted is not None
        assert told.accounted.read_tokens > 0
        for basis, read, written in bills:
            billed(marker, told, basis, read, written)
        return told.learner.policy.purse.saved_tokens[OURS]

    once = saved_tokens(("reported", 2_000, 0))
    assert saved_tokens(("none", 0, 0), ("none", 0, 0), ("reported", 2_000, 0)) == pytest.approx(once)
    assert saved_tokens(("none", 0, 0)) == pytest.approx(once - 0.9 * 2_000)
    assert saved_tokens(("reported", 0, 2_000)) == pytest.approx(once - (0.9 + 0.25) * 2_000)
