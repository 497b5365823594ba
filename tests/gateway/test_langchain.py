"""LangChain's OpenAI classes, unchanged: answers, streams, tools and embeddings, without a download of a tokenizer."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from openai import RateLimitError
from pydantic import BaseModel, SecretStr

from gateway.clients import CLAUDE, EMBEDDING, GPT, Between, gateway_between
from gateway.provider_answers import ARGUMENTS, CACHED_TOKENS, INPUT_TOKENS, OUTPUT_TOKENS, TEXT, TOOL, VECTOR, WORDS


class Weather(BaseModel):
    """The weather of a city."""

    city: str


@tool
def get_weather(city: str) -> str:
    """The weather of a city."""
    return f"sunny in {city}"


@pytest.fixture(scope="module")
def between(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Between]:
    with gateway_between(tmp_path_factory.mktemp("gateway")) as found:
        yield found


def chat_model(between: Between, model: str = GPT, **more: Any) -> ChatOpenAI:
    key = SecretStr(more.pop("key", between.live.key))
    return ChatOpenAI(model=model, base_url=f"{between.url}/v1", api_key=key, max_retries=0, **more)


@pytest.mark.parametrize("model", [GPT, CLAUDE])
def test_invoke(between: Between, model: str) -> None:
    headers = {"x-breakeven-tags": "chain=summary"}
    answer = chat_model(between, model, include_response_headers=True, default_headers=headers).invoke(
        [SystemMessage("Be kind."), HumanMessage("Hi")]
    )
    assert answer.content == TEXT
    assert answer.usage_metadata is not None
    assert answer.usage_metadata["input_tokens"] == INPUT_TOKENS
    assert answer.usage_metadata["output_tokens"] == OUTPUT_TOKENS
    assert answer.usage_metadata["input_token_details"]["cache_read"] == CACHED_TOKENS
    told = answer.response_metadata["headers"]
    row = between.ledger(told["x-breakeven-request-id"])
    assert int(told["x-breakeven-cost-nano-usd"]) == row["cost_nano_usd"] > 0
    assert row["attempts"][0]["tags"] == ["chain=summary"]


@pytest.mark.parametrize("model", [GPT, CLAUDE])
@pytest.mark.parametrize("stream_usage", [False, True])
def test_stream(between: Between, model: str, stream_usage: bool) -> None:
    chunks = list(chat_model(between, model, stream_usage=stream_usage).stream("Hi"))
    assert [chunk.content for chunk in chunks if chunk.content] == list(WORDS)
    used = [chunk.usage_metadata["output_tokens"] for chunk in chunks if chunk.usage_metadata]
    assert used == ([OUTPUT_TOKENS] if stream_usage else [])


@pytest.mark.parametrize("model", [GPT, CLAUDE])
def test_tools_from_the_call_to_its_result(between: Between, model: str) -> None:
    bound = chat_model(between, model).bind_tools([get_weather])
    first = bound.invoke("How is the weather in Zurich?")
    [call] = first.tool_calls
    assert (call["name"], call["args"]) == (TOOL, ARGUMENTS)
    result = get_weather.invoke(call)
    assert isinstance(result, ToolMessage)
    bound.invoke([HumanMessage("How is the weather in Zurich?"), first, result])
    streamed: Any = None
    for chunk in bound.stream("How is the weather in Zurich?"):
        streamed = chunk if streamed is None else streamed + chunk
    assert [(each["name"], each["args"]) for each in streamed.tool_calls] == [(TOOL, ARGUMENTS)]


def test_structured_output(between: Between) -> None:
    assert chat_model(between).with_structured_output(Weather).invoke("Where?") == Weather(city="Zürich")


def test_batch_and_async(between: Between) -> None:
    model = chat_model(between)
    assert [answer.content for answer in model.batch(["a", "b", "c"])] == [TEXT] * 3

    async def scenario() -> None:
        assert (await model.ainvoke("Hi")).content == TEXT
        assert "".join([str(chunk.content) async for chunk in model.astream("Hi")]) == TEXT

    asyncio.run(scenario())


def test_the_responses_endpoint(between: Between) -> None:
    answer = chat_model(between, use_responses_api=True).invoke("Hi")
    assert isinstance(answer, AIMessage)
    assert answer.text == TEXT
    assert "".join(chunk.text for chunk in chat_model(between, use_responses_api=True).stream("Hi")) == TEXT


def test_embeddings(between: Between) -> None:
    model = OpenAIEmbeddings(
        model=EMBEDDING,
        base_url=f"{between.url}/v1",
        api_key=SecretStr(between.live.key),
        check_embedding_ctx_length=False,  # or it would fetch a tokenizer
    )
    assert model.embed_documents(["a", "b"]) == [list(VECTOR)] * 2
    assert model.embed_query("a") == list(VECTOR)


def test_a_full_budget_is_langchains_error_too(between: Between) -> None:
    poor = between.another_key("poor", "--budget-usd", "0.000001", "--window", "day")
    with pytest.raises(RateLimitError, match=r"budget of \$0.000001 a day.*has no room"):
        chat_model(between, key=poor).invoke("Hi")
