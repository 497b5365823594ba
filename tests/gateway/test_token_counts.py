"""Counting a message's tokens: passed through to Anthropic, authorised and limited, free and without a row."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import anthropic
import httpx2
import pytest

from gateway.clients import CLAUDE, CONFIG, GPT, Between, gateway_between, refusal_of
from gateway.live import ADMIN
from gateway.provider import Said

HI: Any = [{"role": "user", "content": "Hi, Zoë 👋"}]
TOOLS: Any = [{"name": "weather", "description": "Weather", "input_schema": {"type": "object"}}]
COUNTED = Said(body=b'{"input_tokens": 2095}', headers={"request-id": "up_7"})
NOT_NOW = Said(status=529, body=b'{"type": "error", "error": {"type": "overloaded_error", "message": "not now"}}')
MORE = """
[[models]]
name = "claude"
targets = [{ upstream = "anthropic", model = "claude-haiku-4-5" }]
[[models]]
name = "either"
targets = [{ upstream = "openai", model = "gpt-4o-mini" }]
fallbacks = [{ upstream = "anthropic", model = "claude-haiku-4-5" }]
"""


@pytest.fixture(scope="module")
def between(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Between]:
    with gateway_between(tmp_path_factory.mktemp("gateway"), CONFIG + MORE) as found:
        yield found


@pytest.fixture(autouse=True)
def unheard(between: Between) -> None:
    between.anthropic_provider.heard.clear()
    between.openai_provider.heard.clear()


def test_the_official_client_counts_and_nothing_is_billed_or_recorded(between: Between) -> None:
    rows = len(between.all_rows())
    between.anthropic_provider.next.append(COUNTED)
    raw = between.anthropic().messages.with_raw_response.count_tokens(
        model=CLAUDE, messages=HI, tools=TOOLS, system="Be kind.", extra_headers={"anthropic-beta": "future-2026"}
    )
    assert raw.parse().input_tokens == 2095
    [asked] = between.anthropic_provider.heard
    assert asked.path == "/v1/messages/count_tokens"
    assert asked.body == between.sent[-1].content
    assert asked.headers["anthropic-beta"] == "future-2026"
    assert between.live.key not in json.dumps(dict(asked.headers))
    assert raw.headers["x-breakeven-cost-nano-usd"] == "0"
    assert raw.headers["x-breakeven-decision"] == f"{CLAUDE}@anthropic; requested"
    assert raw.headers["request-id"] == "up_7"
    assert len(between.all_rows()) == rows
    told = httpx2.get(
        f"{between.url}/admin/requests/{raw.headers['x-breakeven-request-id']}",
        headers={"authorization": f"Bearer {ADMIN}"},
    )
    assert told.status_code == 404


@pytest.mark.parametrize("model", ["claude", "either"])
def test_the_model_is_that_of_the_upstream_which_can_count(between: Between, model: str) -> None:
    between.anthropic_provider.next.append(COUNTED)
    assert between.anthropic().messages.count_tokens(model=model, messages=HI).input_tokens == 2095
    assert between.anthropic_provider.heard[-1].json == {"model": CLAUDE, "messages": HI}
    assert between.openai_provider.heard == []


def test_a_model_of_another_wire_gets_an_error_in_the_shape_of_anthropics(between: Between) -> None:
    refused = refusal_of(
        anthropic.BadRequestError, lambda: between.anthropic().messages.count_tokens(model=GPT, messages=HI)
    )
    assert refused.body["error"]["type"] == "invalid_request_error"
    assert refused.body["error"]["message"] == (
        "gpt-4o-mini is served by openai, whose openai wire cannot count tokens"
    )
    assert between.openai_provider.heard == []


def test_keys_their_models_and_their_limits_hold(between: Between) -> None:
    def counted(key: str, model: str = CLAUDE) -> int:
        between.anthropic_provider.next.append(COUNTED)
        try:
            return between.anthropic(key).messages.count_tokens(model=model, messages=HI).input_tokens
        finally:
            between.anthropic_provider.next.clear()

    refusal_of(anthropic.AuthenticationError, lambda: counted("sk-be-unknown"))
    other = between.another_key("other", "--models", GPT)
    refusal_of(anthropic.PermissionDeniedError, lambda: counted(other))
    refusal_of(anthropic.NotFoundError, lambda: counted(between.live.key, "no-such-model"))
    slow = between.another_key("slow", "--rpm", "2")
    assert [counted(slow), counted(slow)] == [2095, 2095]
    limited = refusal_of(anthropic.RateLimitError, lambda: counted(slow))
    assert int(limited.response.headers["retry-after"]) >= 1
    assert len(between.anthropic_provider.heard) == 2


def test_a_key_without_money_may_count(between: Between) -> None:
    poor = between.another_key("poor", "--budget-usd", "0", "--window", "total")
    client = between.anthropic(poor)
    refusal_of(anthropic.RateLimitError, lambda: client.messages.create(model=CLAUDE, messages=HI, max_tokens=9))
    between.anthropic_provider.next.append(COUNTED)
    assert client.messages.count_tokens(model=CLAUDE, messages=HI).input_tokens == 2095


def test_an_upstream_that_is_overloaded_is_asked_again_and_what_it_refuses_comes_through(between: Between) -> None:
    client = between.anthropic()
    between.anthropic_provider.next.extend([NOT_NOW, COUNTED])
    assert client.messages.count_tokens(model=CLAUDE, messages=HI).input_tokens == 2095
    assert len(between.anthropic_provider.heard) == 2
    body = b'{"type": "error", "error": {"type": "invalid_request_error", "message": "messages.0: no"}}'
    between.anthropic_provider.next.append(Said(status=400, body=body))
    refused = refusal_of(anthropic.BadRequestError, lambda: client.messages.count_tokens(model=CLAUDE, messages=HI))
    assert refused.body["error"]["message"] == "messages.0: no"
    assert (
        refusal_of(
            anthropic.BadRequestError,
            lambda: client.messages.count_tokens(model=CLAUDE, messages=7),  # type: ignore[arg-type]
        ).body["error"]["type"]
        == "invalid_request_error"
    )
