"""What the official OpenAI client raises for each refusal, ours and a provider's, and which of them it asks again."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import httpx2
import openai
import pytest

from gateway.clients import GPT, LEGACY, Between, gateway_between, refusal_of
from gateway.provider import Said
from gateway.provider_answers import TEXT

HI: Any = [{"role": "user", "content": "Hi, Zoë 👋"}]


@pytest.fixture(scope="module")
def between(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Between]:
    with gateway_between(tmp_path_factory.mktemp("gateway")) as found:
        yield found


@pytest.fixture
def client(between: Between) -> openai.OpenAI:
    return between.openai()


def raw_request(client: openai.OpenAI, **fields: Any) -> Callable[[], object]:
    return lambda: client.chat.completions.create(**{"model": GPT, "messages": HI, **fields})


def test_each_refusal_is_the_error_that_the_client_has_for_it(between: Between, client: openai.OpenAI) -> None:
    key = between.live.key
    limited = between.another_key("errors", "--models", LEGACY)
    cases: list[tuple[type[Exception], str, Callable[[], object]]] = [
        (openai.AuthenticationError, "invalid_api_key", raw_request(between.openai("be-nonsense"))),
        (openai.PermissionDeniedError, "model_not_allowed", raw_request(between.openai(limited))),
        (openai.NotFoundError, "model_not_found", raw_request(client, model="gpt-99")),
        (openai.BadRequestError, "invalid_request", raw_request(client, max_tokens="many")),
        (openai.BadRequestError, "invalid_request", raw_request(client, messages={"not": "a list"})),
        (openai.NotFoundError, "not_found", client.fine_tuning.jobs.list),
    ]
    heard = len(between.openai_provider.heard)
    for kind, code, call in cases:
        error = refusal_of(kind, call)
        assert error.code == code
        assert error.message
        assert key not in str(error)
        assert "be-nonsense" not in str(error)
    assert len(between.openai_provider.heard) == heard, "a refused request was sent"


def test_a_full_budget_is_told_once_and_not_asked_again(between: Between) -> None:
    poor = between.another_key("poor", "--budget-usd", "0.000001", "--window", "day")
    sent = len(between.sent)
    started = datetime.now(UTC)
    error = refusal_of(openai.RateLimitError, raw_request(between.openai(poor, max_retries=5), max_tokens=50))
    assert error.code == error.type == "insufficient_quota"
    assert error.response.headers["x-should-retry"] == "false"
    assert error.response.headers["x-breakeven-cost-nano-usd"] == "0"
    assert len(between.sent) - sent == 1
    assert (datetime.now(UTC) - started).total_seconds() < 10


def test_a_rate_limit_of_a_key_says_when_to_ask_again(between: Between) -> None:
    client = between.openai(between.another_key("slow", "--rpm", "2"))
    for _ in range(2):
        client.chat.completions.create(model=GPT, messages=HI)
    error = refusal_of(openai.RateLimitError, raw_request(client))
    assert error.code == "rate_limit_exceeded"
    assert 50 <= int(error.response.headers["retry-after"]) <= 61  # counted by whole seconds
    assert "x-should-retry" not in error.response.headers


def test_requests_at_once_beyond_a_keys_limit_are_asked_again_and_served(between: Between) -> None:
    narrow = between.another_key("narrow", "--parallel", "1")

    async def scenario() -> None:
        async with openai.AsyncOpenAI(base_url=f"{between.url}/v1", api_key=narrow, max_retries=8) as client:
            asked = [client.chat.completions.create(model=GPT, messages=HI) for _ in range(3)]
            assert {answer.choices[0].message.content for answer in await asyncio.gather(*asked)} == {TEXT}

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, openai.BadRequestError), (404, openai.NotFoundError), (422, openai.UnprocessableEntityError)],
)
def test_a_providers_refusal_comes_as_it_is(
    between: Between, client: openai.OpenAI, status: int, kind: type[openai.APIStatusError]
) -> None:
    body = (
        b'{"error": {"message": "No, Zo\xc3\xab", "type": "invalid_request_error", "param": "messages", "code": null}}'
    )
    between.openai_provider.next.append(Said(status=status, body=body))
    error = refusal_of(kind, raw_request(client))
    assert error.response.content == body
    assert error.body == json.loads(body)["error"]
    row = between.ledger(error.response.headers["x-breakeven-request-id"])
    assert (row["outcome"], row["cost_nano_usd"]) == ("refused_by_upstream", 0)


def test_a_providers_refusal_of_our_credential_is_no_fault_of_the_clients_key(
    between: Between, client: openai.OpenAI
) -> None:
    secret = b'{"error": {"message": "Incorrect API key provided: sk-prov****9abc", "code": "invalid_api_key"}}'
    between.openai_provider.next.append(Said(status=401, body=secret))
    error = refusal_of(openai.InternalServerError, raw_request(client))
    assert (error.status_code, error.code) == (502, "upstream_refused_credential")
    assert "sk-prov" not in str(error)


def test_a_stream_that_breaks_is_an_error_and_not_an_end(between: Between, client: openai.OpenAI) -> None:
    chunk = b'data: {"id":"x","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"half"}}]}\n\n'
    between.openai_provider.next.append(Said(pieces=(chunk,)))
    stream = client.chat.completions.create(model=GPT, messages=HI, stream=True)
    assert next(stream).choices[0].delta.content == "half"
    with pytest.raises(openai.APIError, match="ended the stream early"):
        next(stream)


def test_a_lost_gateway_is_a_connection_error() -> None:
    client = openai.OpenAI(base_url="http://127.0.0.1:9/v1", api_key="x", max_retries=0, http_client=httpx2.Client())
    refusal_of(openai.APIConnectionError, raw_request(client))
