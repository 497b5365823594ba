"""Each official client before an upstream of the other wire: what it asks is translated, and so is what comes back."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import anthropic
import openai
import pytest

from gateway.clients import CLAUDE, GPT, GPT_NANO_USD, Between, gateway_between, refusal_of
from gateway.provider import Said
from gateway.provider_answers import ARGUMENTS, CACHED_TOKENS, INPUT_TOKENS, OUTPUT_TOKENS, TEXT, TOOL, WORDS

SCHEMA: Any = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
CHAT_TOOLS: Any = [{"type": "function", "function": {"name": TOOL, "description": "Weather", "parameters": SCHEMA}}]
MESSAGE_TOOLS: Any = [{"name": TOOL, "description": "Weather", "input_schema": SCHEMA}]
HI: Any = {"role": "user", "content": "Hi"}


@pytest.fixture(scope="module")
def between(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Between]:
    with gateway_between(tmp_path_factory.mktemp("gateway")) as found:
        yield found


# -- the OpenAI client before Anthropic -------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [False, True])
def test_a_chat_of_claude(between: Between, stream: bool) -> None:
    client = between.openai()
    asked: Any = {"model": CLAUDE, "max_tokens": 50, "messages": [{"role": "system", "content": "Be kind."}, HI]}
    if stream:
        options: Any = {"include_usage": True}
        chunks = list(client.chat.completions.create(**asked, stream=True, stream_options=options))
        said = [choice.delta.content for chunk in chunks for choice in chunk.choices if choice.delta.content]
        assert said == list(WORDS)
        assert [choice.finish_reason for chunk in chunks for choice in chunk.choices][-1] == "stop"
        usage = chunks[-1].usage
    else:
        answer = client.chat.completions.create(**asked)
        assert answer.choices[0].message.content == TEXT
        assert answer.choices[0].finish_reason == "stop"
        usage = answer.usage
    assert usage is not None
    assert usage.prompt_tokens_details is not None
    assert (usage.prompt_tokens, usage.prompt_tokens_details.cached_tokens) == (INPUT_TOKENS, CACHED_TOKENS)
    heard = between.anthropic_provider.heard[-1]
    assert heard.path == "/v1/messages"
    assert heard.headers["anthropic-version"]
    assert heard.json["system"] == [{"type": "text", "text": "Be kind."}]
    assert [turn["role"] for turn in heard.json["messages"]] == ["user"]
    assert heard.json["max_tokens"] == 50
    assert heard.json.get("stream", False) is stream


def test_a_conversation_with_tools_and_claude(between: Between) -> None:
    """The whole loop: ask, be told to call, say what the call gave, be answered."""
    client = between.openai()
    messages: list[Any] = [HI]
    first = client.chat.completions.create(model=CLAUDE, messages=messages, tools=CHAT_TOOLS, tool_choice="required")
    heard = between.anthropic_provider.heard[-1].json
    assert heard["tools"] == MESSAGE_TOOLS
    assert heard["tool_choice"] == {"type": "any"}
    [call] = first.choices[0].message.tool_calls or ()
    assert call.type == "function"
    assert (json.loads(call.function.arguments), first.choices[0].finish_reason) == (ARGUMENTS, "tool_calls")
    messages += [first.choices[0].message, {"role": "tool", "tool_call_id": call.id, "content": "sunny"}]
    client.chat.completions.create(model=CLAUDE, messages=messages, tools=CHAT_TOOLS)
    _, called, result = between.anthropic_provider.heard[-1].json["messages"]
    [use] = called["content"]
    assert (use["type"], use["id"], use["name"], use["input"]) == ("tool_use", call.id, TOOL, ARGUMENTS)
    [told] = result["content"]
    assert (result["role"], told["type"], told["tool_use_id"]) == ("user", "tool_result", call.id)
    assert "sunny" in json.dumps(told["content"])


def test_a_streamed_tool_call_of_claude(between: Between) -> None:
    asked: Any = {"model": CLAUDE, "messages": [HI], "tools": CHAT_TOOLS}
    with between.openai().chat.completions.stream(**asked) as stream:
        kinds = {event.type for event in stream}
        whole = stream.get_final_completion()
    assert "tool_calls.function.arguments.done" in kinds
    [call] = whole.choices[0].message.tool_calls or ()
    assert json.loads(call.function.arguments) == ARGUMENTS
    assert whole.choices[0].finish_reason == "tool_calls"


def test_images_for_claude(between: Between) -> None:
    parts: Any = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": "https://example.com/cat.png"}},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}},
    ]
    between.openai().chat.completions.create(model=CLAUDE, messages=[{"role": "user", "content": parts}])
    [turn] = between.anthropic_provider.heard[-1].json["messages"]
    assert turn["content"][1:] == [
        {"type": "image", "source": {"type": "url", "url": "https://example.com/cat.png"}},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}},
    ]


@pytest.mark.parametrize("field", [{"n": 2}, {"logprobs": True}, {"seed": 1}, {"logit_bias": {"1": 1}}])
def test_what_claude_cannot_do_is_refused_by_name_and_not_dropped(between: Between, field: dict[str, Any]) -> None:
    client, heard = between.openai(), len(between.anthropic_provider.heard)
    error = refusal_of(
        openai.BadRequestError,
        lambda: client.chat.completions.create(model=CLAUDE, messages=[HI], max_tokens=50, extra_body=field),
    )
    assert next(iter(field)) in error.message
    assert len(between.anthropic_provider.heard) == heard


@pytest.mark.parametrize("call", ["responses", "completions", "embeddings"])
def test_an_endpoint_that_anthropic_has_not_is_refused(between: Between, call: str) -> None:
    client = between.openai()
    calls: Any = {
        "responses": lambda: client.responses.create(model=CLAUDE, input="Hi"),
        "completions": lambda: client.completions.create(model=CLAUDE, prompt="Hi"),
        "embeddings": lambda: client.embeddings.create(model=CLAUDE, input="Hi"),
    }
    assert refusal_of(openai.BadRequestError, calls[call]).code == "operation_not_supported"


@pytest.mark.parametrize(
    ("status", "told", "kind"),
    [
        (400, "invalid_request_error", openai.BadRequestError),
        (404, "not_found_error", openai.NotFoundError),
        (413, "request_too_large", openai.APIStatusError),
    ],
)
def test_an_error_of_anthropic_is_one_of_the_openai_client(
    between: Between, status: int, told: str, kind: type[openai.APIStatusError]
) -> None:
    body = json.dumps({"type": "error", "error": {"type": told, "message": "why, Zoë"}}).encode()
    between.anthropic_provider.next.append(Said(status=status, body=body))
    client = between.openai()
    error = refusal_of(kind, lambda: client.chat.completions.create(model=CLAUDE, messages=[HI], max_tokens=5))
    assert (error.status_code, error.code) == (status, told)
    assert "why, Zoë" in error.message


# -- the Anthropic client before OpenAI -------------------------------------------------------------------------------


def test_a_message_of_gpt(between: Between) -> None:
    raw = between.anthropic().messages.with_raw_response.create(
        model=GPT, max_tokens=50, system="Be kind.", messages=[HI], stop_sequences=["\n\n"]
    )
    answer = raw.parse()
    assert answer.content[0].to_dict()["text"] == TEXT
    assert (answer.type, answer.role, answer.stop_reason) == ("message", "assistant", "end_turn")
    assert answer.usage.input_tokens == INPUT_TOKENS - CACHED_TOKENS
    assert (answer.usage.cache_read_input_tokens, answer.usage.output_tokens) == (CACHED_TOKENS, OUTPUT_TOKENS)
    assert int(raw.headers["x-breakeven-cost-nano-usd"]) == GPT_NANO_USD
    heard = between.openai_provider.heard[-1]
    assert heard.path == "/v1/chat/completions"
    assert "anthropic-version" not in heard.headers
    assert [turn["role"] for turn in heard.json["messages"]] == ["system", "user"]
    assert (heard.json["max_tokens"], heard.json["stop"]) == (50, ["\n\n"])


def test_a_streamed_message_of_gpt(between: Between) -> None:
    client = between.anthropic()
    asked: Any = {"model": GPT, "max_tokens": 50, "messages": [HI]}
    with client.messages.stream(**asked) as stream:
        said = list(stream.text_stream)
        whole = stream.get_final_message()
    assert "".join(said) == TEXT
    assert whole.stop_reason == "end_turn"
    assert (whole.usage.cache_read_input_tokens, whole.usage.output_tokens) == (CACHED_TOKENS, OUTPUT_TOKENS)
    with client.messages.with_streaming_response.create(**asked, stream=True) as raw:
        lines = [line for line in raw.iter_lines() if line]
    assert lines[-1] == f": breakeven cost_nano_usd={GPT_NANO_USD}"
    kinds = [json.loads(line.removeprefix("data: "))["type"] for line in lines if line.startswith("data: ")]
    assert re.fullmatch(
        "message_start (ping )?content_block_start (ping )?(content_block_delta )+content_block_stop "
        "message_delta message_stop",
        " ".join(kinds),
    )


@pytest.mark.parametrize("stream", [False, True])
def test_a_conversation_with_tools_and_gpt(between: Between, stream: bool) -> None:
    client = between.anthropic()
    asked: Any = {"model": GPT, "max_tokens": 50, "tools": MESSAGE_TOOLS}
    if stream:
        with client.messages.stream(**asked, messages=[HI]) as told:
            first = told.get_final_message()
    else:
        first = client.messages.create(**asked, messages=[HI], tool_choice={"type": "any"})
        assert between.openai_provider.heard[-1].json["tool_choice"] == "required"
    assert between.openai_provider.heard[-1].json["tools"][0]["function"]["parameters"] == SCHEMA
    [use] = first.content
    assert use.type == "tool_use"
    assert (use.name, use.input, first.stop_reason) == (TOOL, ARGUMENTS, "tool_use")
    result = {"type": "tool_result", "tool_use_id": use.id, "content": "sunny"}
    turns: Any = [HI, {"role": "assistant", "content": first.content}, {"role": "user", "content": [result]}]
    client.messages.create(**asked, messages=turns)
    _, called, told_back = between.openai_provider.heard[-1].json["messages"]
    [call] = called["tool_calls"]
    assert (call["id"], json.loads(call["function"]["arguments"])) == (use.id, ARGUMENTS)
    assert (told_back["role"], told_back["tool_call_id"], told_back["content"]) == ("tool", use.id, "sunny")


@pytest.mark.parametrize("model", [GPT, CLAUDE])
def test_a_page_of_a_proxy_in_between_is_an_error_of_either_client(between: Between, model: str) -> None:
    page = Said(status=400, headers={"content-type": "text/html"}, body=b"<html>Blocked</html>")
    provider, asked = (
        (between.openai_provider, lambda: between.anthropic().messages.create(model=model, max_tokens=5, messages=[HI]))
        if model == GPT
        else (between.anthropic_provider, lambda: between.openai().chat.completions.create(model=model, messages=[HI]))
    )
    provider.next.append(page)
    error = refusal_of(anthropic.BadRequestError if model == GPT else openai.BadRequestError, asked)
    assert error.response.headers["content-type"] == "application/json"
    assert "Blocked" in error.response.json()["error"]["message"]


def test_an_error_of_openai_is_one_of_the_anthropic_client(between: Between) -> None:
    body = b'{"error": {"message": "Unsupported: why", "type": "invalid_request_error", "param": null, "code": null}}'
    between.openai_provider.next.append(Said(status=400, body=body))
    client = between.anthropic()
    error = refusal_of(
        anthropic.BadRequestError, lambda: client.messages.create(model=GPT, max_tokens=5, messages=[HI])
    )
    assert (error.body["type"], error.body["error"]["type"]) == ("error", "invalid_request_error")
    assert "Unsupported: why" in error.body["error"]["message"]
