"""Remembered and shared answers as the official clients read them: what was bought, word for word."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from gateway.clients import CLAUDE, CONFIG, EMBEDDING, GPT, GPT_NANO_USD, Between, gateway_between
from gateway.remembering import CACHE

HI: Any = [{"role": "user", "content": "Hi, Zoë 👋"}]
COLD = {"temperature": 0}
"""The newest Anthropic client has no such argument; the endpoint has it."""

TOOLS: Any = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]
PURE = CONFIG + 'cache = { mode = "always", pure_tools = true }\n'


@pytest.fixture(scope="module")
def between(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Between]:
    with gateway_between(tmp_path_factory.mktemp("remembered"), CACHE + PURE) as found:
        yield found


def chat(between: Between) -> Any:
    return between.openai().chat.completions.create(model=GPT, messages=HI, temperature=0).to_dict()


def chat_stream(between: Between) -> Any:
    with between.openai().chat.completions.create(
        model=GPT, messages=HI, temperature=0, stream=True, stream_options={"include_usage": True}
    ) as stream:
        return [chunk.to_dict() for chunk in stream]


def response(between: Between) -> Any:
    return between.openai().responses.create(model=GPT, input="Hi", temperature=0, store=False).to_dict()


def response_stream(between: Between) -> Any:
    with between.openai().responses.create(model=GPT, input="Hi", temperature=0, store=False, stream=True) as stream:
        return [event.to_dict() for event in stream]


def embedding(between: Between) -> Any:
    return between.openai().embeddings.create(model=EMBEDDING, input="Hi").to_dict()


def message(between: Between) -> Any:
    return between.anthropic().messages.create(model=CLAUDE, messages=HI, max_tokens=50, extra_body=COLD).to_dict()


def message_stream(between: Between) -> Any:
    with between.anthropic().messages.stream(model=CLAUDE, messages=HI, max_tokens=50, extra_body=COLD) as stream:
        return [event.to_dict() for event in stream]


ASKED: dict[str, Callable[[Between], Any]] = {
    each.__name__: each for each in (chat, chat_stream, response, response_stream, embedding, message, message_stream)
}


def heard(between: Between) -> int:
    return len(between.openai_provider.heard) + len(between.anthropic_provider.heard)


@pytest.mark.parametrize("ask", ASKED.values(), ids=ASKED.keys())
def test_the_client_gets_the_same_again(between: Between, ask: Callable[[Between], Any]) -> None:
    before = heard(between)
    first = ask(between)
    assert heard(between) == before + 1
    assert [ask(between) for _ in range(2)] == [first, first]
    assert heard(between) == before + 1


def test_calls_of_tools_have_ids_of_their_own_each_time(between: Between) -> None:
    client = between.openai()
    asked: dict[str, Any] = {"model": "fast", "messages": HI, "tools": TOOLS}
    before, ids = heard(between), []
    for _ in range(3):
        (call,) = client.chat.completions.create(**asked).choices[0].message.tool_calls or ()
        ids.append(call.id)
    for _ in range(3):
        with client.chat.completions.create(**asked, stream=True) as stream:
            calls = [call for chunk in stream for call in chunk.choices[0].delta.tool_calls or ()]
        ids.append(next(call.id for call in calls if call.id))
        assert "".join(call.function.arguments or "" for call in calls if call.function)
    assert heard(between) == before + 2
    assert len({*ids}) == 5  # the first whole one and the first streamed one are the provider's own
    assert {each[:5] for each in ids} == {"call_"}


def test_the_raw_answer_says_what_it_was(between: Between) -> None:
    raw = between.openai().chat.completions.with_raw_response
    asked: dict[str, Any] = {"model": GPT, "messages": [{"role": "user", "content": "raw"}], "temperature": 0}
    bought, given = raw.create(**asked), raw.create(**asked)
    assert [each.headers["x-breakeven-cache"] for each in (bought, given)] == ["miss", "hit"]
    assert [each.headers["x-breakeven-cost-nano-usd"] for each in (bought, given)] == [str(GPT_NANO_USD), "0"]
    assert given.headers["cache-control"] == "private, no-store"
    row = between.ledger(given.headers["x-breakeven-request-id"])
    assert (row["cost_nano_usd"], row["attempts"][0]["served_from"]) == (0, "response_cache")
    assert row["attempts"][0]["baseline_nano_usd"] == GPT_NANO_USD


@pytest.mark.parametrize("ask", [chat_stream, message_stream], ids=lambda each: each.__name__)
def test_many_clients_at_once_hear_one_answer(between: Between, ask: Callable[[Between], Any]) -> None:
    """Whoever is late finds it in the cache: in all there is one call."""
    between.live.new_key("another", tenant=f"tenant-of-{ask.__name__}")
    before = heard(between)
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(ask, [between] * 20))
    assert heard(between) == before + 1
    assert all(each == answers[0] for each in answers)
