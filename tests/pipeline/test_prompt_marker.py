"""What is remembered of prompts and bills is kept apart, and bounded."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from breakeven.catalog.usage import Usage
from breakeven.pipeline import prompt_marker
from breakeven.pipeline.prompt_marker import PromptMarker, Told
from breakeven.pipeline.target import BodyRules, Target
from breakeven.policy.prompt_cache_memory import OURS
from breakeven.upstreams.codecs import ENDPOINTS
from ledger.ledgers import entry

MODEL = "claude-sonnet-4-5"
NOW_S = 1_795_000_000.0
SYSTEM = "Be kind to whoever asks. " * 400


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


def test_another_time_to_live_is_learned_anew() -> None:
    marker = PromptMarker(Ticking())
    assert any(marked(marker, 300))
    assert not next(marked(marker, 1, to=target(body_rules=BodyRules(cache_ttl="1h"))))


def test_only_so_many_tenants_are_remembered() -> None:
    marker = PromptMarker(Ticking())
    for number in range(prompt_marker.MOST_LEARNERS + 20):
        assert not any(marked(marker, 2, tenant=f"tenant {number}"))
    assert len(marker._learners) == prompt_marker.MOST_LEARNERS


def test_who_has_most_prefixes_forgets_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prompt_marker, "MOST_PREFIXES", 200)
    marker = PromptMarker(Ticking())
    few = list(marked(marker, 10, tenant="few"))
    many = list(marked(marker, 1_000, tenant="many"))
    held = {tenant: len(learner.policy.memory) for (tenant, _, _), learner in marker._learners.items()}
    assert held["few"] == 11  # the system prompt, and each question
    assert 2 < sum(held.values()) <= 200
    assert few[-1]
    assert all(many[-500:])  # the shared beginning is not forgotten


def test_who_is_forgotten_leaves_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prompt_marker, "MOST_LEARNERS", 2)
    marker = PromptMarker(Ticking())
    for number in range(20):
        list(marked(marker, 5, tenant=f"tenant {number}"))
    list(marked(marker, 5, tenant="tenant 19", to=target(body_rules=BodyRules(cache_ttl="1h"))))
    assert marker._prefixes == sum(len(each.policy.memory) for each in marker._learners.values()) == 2 * 6


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
