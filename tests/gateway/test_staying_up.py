"""Upstreams that fail: which request is tried again, where, after how long, and what it costs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from gateway import provider_answers
from gateway.clients import refusal_of
from gateway.fleet import COST_NANO_USD, Fleet, failing, fleet_of
from gateway.live import assert_one_number
from gateway.provider import Said

ROUTES = {
    "alone": {"targets": ["a"]},
    "pair": {"targets": ["a"], "fallbacks": ["b"]},
    "ladder": {"targets": ["a"], "fallbacks": ["b", "c"]},
    "unreachable-first": {"targets": ["gone"], "fallbacks": ["b"]},
    "unreachable": {"targets": ["gone"]},
    "breaking": {"targets": ["a"], "fallbacks": ["b"]},
}


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with fleet_of(tmp_path_factory.mktemp("gateway"), ROUTES) as found:
        yield found


@pytest.fixture(autouse=True)
def unheard(fleet: Fleet) -> None:
    fleet.forget()


# -- again ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 529])
@pytest.mark.parametrize("stream", [False, True])
def test_what_was_not_run_is_asked_again(fleet: Fleet, status: int, stream: bool) -> None:
    fleet.providers["a"].next.append(failing(status))
    answer = fleet.ask("alone", stream=stream)
    assert answer.status_code == 200
    assert fleet.attempts(answer) == [("a", "refused_by_upstream", 0), ("a", "ok", COST_NANO_USD)]
    assert ("[DONE]" in answer.text) is stream


@pytest.mark.parametrize(("name", "value"), [("retry_after", "1"), ("retry_after_ms", "1000")])
def test_a_provider_is_left_alone_as_long_as_it_asked(fleet: Fleet, name: str, value: str) -> None:
    fleet.providers["a"].next.append(failing(429, **{name: value}))
    started = time.monotonic()
    assert fleet.ask("alone").status_code == 200
    assert 1.0 <= time.monotonic() - started < 4.0


def test_a_wait_beyond_the_deadline_is_the_clients_to_make(fleet: Fleet) -> None:
    fleet.providers["a"].next.append(failing(429, retry_after="30"))
    answer = fleet.ask("alone")
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "30")
    assert answer.json()["error"]["message"] == "not now"
    assert fleet.heard() == {"a": 1, "b": 0, "c": 0}


@pytest.mark.parametrize("status", [400, 404, 409, 413, 422, 501, 504])
def test_what_another_try_would_not_change_is_not_tried(fleet: Fleet, status: int) -> None:
    fleet.providers["a"].next.append(failing(status))
    assert fleet.ask("pair").status_code == status
    assert fleet.heard() == {"a": 1, "b": 0, "c": 0}


def test_no_more_attempts_than_allowed(fleet: Fleet) -> None:
    fleet.providers["a"].answering = lambda _: failing(500)
    answer = fleet.ask("alone")
    assert (answer.status_code, answer.json()["error"]["message"]) == (500, "not now")
    assert fleet.heard() == {"a": 3, "b": 0, "c": 0}
    assert fleet.attempts(answer) == [("a", "refused_by_upstream", 0)] * 3


def test_a_request_that_was_sent_and_timed_out_is_not_paid_for_twice(fleet: Fleet) -> None:
    fleet.providers["a"].next.append(Said(hangs=True))
    answer = fleet.ask("pair")
    assert (answer.status_code, answer.json()["error"]["code"]) == (504, "upstream_timeout")
    assert fleet.heard() == {"a": 1, "b": 0, "c": 0}
    [(deployment, outcome, cost_nano_usd)] = fleet.attempts(answer)
    assert (deployment, outcome) == ("a", "timeout")
    assert cost_nano_usd > 0, "it may be billed, so it costs an estimate"


# -- elsewhere --------------------------------------------------------------------------------------------------------


def test_what_cannot_be_reached_is_passed_over(fleet: Fleet) -> None:
    answer = fleet.ask("unreachable-first")
    assert answer.status_code == 200
    assert fleet.attempts(answer) == [("gone", "failed", 0), ("b", "ok", COST_NANO_USD)]
    assert answer.headers["x-breakeven-decision"] == "unreachable-first@b; fallback"


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_credential_is_passed_over(fleet: Fleet, status: int) -> None:
    """Several keys of one provider are several upstreams: one that is withdrawn does not stop the others."""
    fleet.providers["a"].next.append(failing(status))
    answer = fleet.ask("pair")
    assert answer.status_code == 200
    assert fleet.attempts(answer) == [("a", "refused_by_upstream", 0), ("b", "ok", COST_NANO_USD)]
    fleet.providers["a"].next.append(failing(status))
    alone = fleet.ask("alone")
    assert (alone.status_code, alone.json()["error"]["code"]) == (502, "upstream_refused_credential")
    assert fleet.heard() == {"a": 2, "b": 1, "c": 0}


def test_nothing_reachable_is_a_server_error_of_the_official_client(fleet: Fleet) -> None:
    url = f"http://127.0.0.1:{fleet.live.port}/v1"
    client = openai.OpenAI(base_url=url, api_key=fleet.live.key, max_retries=0)
    messages: Any = [{"role": "user", "content": "Hi"}]
    error = refusal_of(
        openai.InternalServerError, lambda: client.chat.completions.create(model="unreachable", messages=messages)
    )
    assert (error.status_code, error.code) == (502, "upstream_unreachable")


def test_fallbacks_are_asked_in_their_order_and_at_once(fleet: Fleet) -> None:
    fleet.providers["a"].next.append(failing(429, retry_after="4"))
    fleet.providers["b"].next.append(failing(503))
    started = time.monotonic()
    answer = fleet.ask("ladder")
    assert time.monotonic() - started < 4.0, "no wait helps another deployment"
    assert [name for name, _, _ in fleet.attempts(answer)] == ["a", "b", "c"]
    assert answer.headers["x-breakeven-decision"] == "ladder@c; fallback"
    assert fleet.heard() == {"a": 1, "b": 1, "c": 1}


def test_a_breaker_opens_and_after_a_trial_closes(fleet: Fleet) -> None:
    ill = fleet.providers["a"]
    ill.answering = lambda _: failing(500)
    for _ in range(12):
        assert fleet.ask("breaking").status_code == 200
    assert fleet.breaker("a", "breaking") == "open"
    assert len(ill.heard) == 10, "ten failures open it"
    opened = time.monotonic()
    answers = [fleet.ask("breaking") for _ in range(5)]
    assert [each.headers["x-breakeven-decision"] for each in answers] == ["breaking@b; fallback"] * 5
    assert len(ill.heard) == 10, "an open breaker was sent to"
    ill.answering = provider_answers.openai
    time.sleep(max(5.2 - (time.monotonic() - opened), 0))
    assert fleet.breaker("a", "breaking") == "half_open"
    assert fleet.ask("breaking").headers["x-breakeven-decision"] == "breaking@a; requested"
    assert fleet.breaker("a", "breaking") == "closed"
    fleet.ask("breaking")
    assert len(ill.heard) == 12


def test_after_all_of_it_every_number_is_the_same(fleet: Fleet) -> None:
    """Whatever was tried again, refused, degraded or estimated: nothing is held, and the ledger is what was counted."""
    fleet.live.budget("tenant:acme", 10**12)
    assert fleet.ask("alone").status_code == 200
    assert asyncio.run(assert_one_number(fleet.live)) > 0
