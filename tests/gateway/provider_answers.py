"""What providers answer, in the shapes of their wires as of November 2026: a short text, or a call of a tool."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Iterable, Iterator
from typing import Any

from gateway.provider import Asked, Said

WORDS = ("Hello", " there", ", Zoë", " 👋.")
TEXT = "".join(WORDS)
CALL_ID, TOOL = "call_4f1x", "get_weather"
ARGUMENT_PIECES = ('{"', "city", '": "', "Zür", 'ich"}')
ARGUMENTS = json.loads("".join(ARGUMENT_PIECES))
INPUT_TOKENS, CACHED_TOKENS, OUTPUT_TOKENS = 100, 40, 20
VECTOR = (0.25, -0.5, 0.125)


def openai(asked: Asked) -> Said:
    """OpenAI: chat, responses, legacy completions and embeddings."""
    body = asked.json
    if asked.path.endswith("/embeddings"):
        return whole(embeddings(body))
    if asked.path.endswith("/chat/completions"):
        return events(chat_chunks(body), done=True) if body.get("stream") else whole(chat(body))
    if asked.path.endswith("/responses"):
        return named_events(response_events(body)) if body.get("stream") else whole(response(body))
    if asked.path.endswith("/completions"):
        return events(completion_chunks(body), done=True) if body.get("stream") else whole(completion(body))
    return Said(status=404, body=b'{"error": {"message": "no such path", "type": "invalid_request_error"}}')


def anthropic(asked: Asked) -> Said:
    """Anthropic: messages."""
    body = asked.json
    if not asked.path.endswith("/messages"):
        return Said(status=404, body=b'{"type": "error", "error": {"type": "not_found_error", "message": "Not Found"}}')
    return named_events(message_events(body)) if body.get("stream") else whole(message(body))


def whole(answer: Any) -> Said:
    return Said(body=json.dumps(answer).encode(), headers={"x-request-id": "up_1"})


def events(chunks: Iterable[Any], *, done: bool) -> Said:
    last = (b"data: [DONE]\n\n",) if done else ()
    return Said(pieces=(*(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks), *last))


def named_events(told: Iterable[dict[str, Any]]) -> Said:
    return Said(pieces=tuple(named(each) for each in told))


def named(event: dict[str, Any]) -> bytes:
    return f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()


# -- OpenAI: chat -----------------------------------------------------------------------------------------------------


def chat(body: dict[str, Any]) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": TEXT, "refusal": None, "annotations": []}
    reason = "stop"
    if body.get("tools"):
        call = {"id": CALL_ID, "type": "function", "function": {"name": TOOL, "arguments": "".join(ARGUMENT_PIECES)}}
        message |= {"content": None, "tool_calls": [call]}
        reason = "tool_calls"
    elif (body.get("response_format") or {}).get("type") in ("json_object", "json_schema"):
        message |= {"content": json.dumps(ARGUMENTS)}
    logprobs = None
    if body.get("logprobs"):
        top = [{"token": word, "logprob": -0.25, "bytes": list(word.encode())} for word in WORDS]
        logprobs = {"content": [{**each, "top_logprobs": [each]} for each in top], "refusal": None}
    choice = {"message": message, "logprobs": logprobs, "finish_reason": reason}
    return {
        "id": "chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG",
        "object": "chat.completion",
        "created": 1_790_000_000,
        "model": body["model"],
        "choices": [{"index": index, **choice} for index in range(body.get("n") or 1)],
        "usage": chat_usage(),
        "service_tier": "default",
        "system_fingerprint": "fp_50cad350e4",
    }


def chat_chunks(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    asks = (body.get("stream_options") or {}).get("include_usage")
    shared: dict[str, Any] = {
        "id": "chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG",
        "object": "chat.completion.chunk",
        "created": 1_790_000_000,
        "model": body["model"],
        "service_tier": "default",
        "system_fingerprint": "fp_50cad350e4",
    }
    if asks:
        shared["usage"] = None

    def chunk(delta: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        return {**shared, "choices": [choice], "obfuscation": "x7"}

    if body.get("tools"):
        call = {"index": 0, "id": CALL_ID, "type": "function", "function": {"name": TOOL, "arguments": ""}}
        yield chunk({"role": "assistant", "content": None, "tool_calls": [call], "refusal": None})
        for piece in ARGUMENT_PIECES:
            yield chunk({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]})
        yield chunk({}, "tool_calls")
    else:
        yield chunk({"role": "assistant", "content": "", "refusal": None})
        for word in WORDS:
            yield chunk({"content": word})
        yield chunk({}, "stop")
    if asks:
        yield {**shared, "choices": [], "usage": chat_usage()}


def chat_usage() -> dict[str, Any]:
    return {
        "prompt_tokens": INPUT_TOKENS,
        "completion_tokens": OUTPUT_TOKENS,
        "total_tokens": INPUT_TOKENS + OUTPUT_TOKENS,
        "prompt_tokens_details": {"cached_tokens": CACHED_TOKENS, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 0,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


# -- OpenAI: the other endpoints --------------------------------------------------------------------------------------


def completion(body: dict[str, Any]) -> dict[str, Any]:
    usage = {"prompt_tokens": 10, "completion_tokens": OUTPUT_TOKENS, "total_tokens": 10 + OUTPUT_TOKENS}
    return {**_completion(body, TEXT, "stop"), "usage": usage}


def completion_chunks(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for word in WORDS:
        yield _completion(body, word, None)
    yield {**_completion(body, "", "stop")}
    if (body.get("stream_options") or {}).get("include_usage"):
        yield {**completion(body), "choices": []}


def _completion(body: dict[str, Any], text: str, reason: str | None) -> dict[str, Any]:
    choice = {"text": text, "index": 0, "logprobs": None, "finish_reason": reason}
    shared = {"id": "cmpl-uqkvlQyYK7bGYrRHQ0eXlWi7", "object": "text_completion", "created": 1_790_000_000}
    return {**shared, "model": body["model"], "choices": [choice], "system_fingerprint": "fp_44709d6fcb"}


def embeddings(body: dict[str, Any]) -> dict[str, Any]:
    texts = body["input"] if isinstance(body["input"], list) and isinstance(body["input"][0], str | list) else [0]
    packed = base64.b64encode(struct.pack(f"<{len(VECTOR)}f", *VECTOR)).decode()
    vector: Any = packed if body.get("encoding_format") == "base64" else list(VECTOR)
    data = [{"object": "embedding", "index": index, "embedding": vector} for index in range(len(texts))]
    usage = {"prompt_tokens": 8, "total_tokens": 8}
    return {"object": "list", "data": data, "model": body["model"], "usage": usage}


def response(body: dict[str, Any], status: str = "completed") -> dict[str, Any]:
    usage = {
        "input_tokens": INPUT_TOKENS,
        "input_tokens_details": {"cached_tokens": CACHED_TOKENS},
        "output_tokens": OUTPUT_TOKENS,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": INPUT_TOKENS + OUTPUT_TOKENS,
    }
    over = status == "completed"
    return {
        "id": "resp_67ccd2bed1ec8190b14f964abc0542670bb6a6b452d3795b",
        "object": "response",
        "created_at": 1_790_000_000,
        "status": status,
        "background": False,
        "error": None,
        "incomplete_details": None,
        "instructions": body.get("instructions"),
        "max_output_tokens": body.get("max_output_tokens"),
        "model": body["model"],
        "output": [_output(body, "completed")] if over else [],
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "reasoning": {"effort": None, "summary": None},
        "service_tier": "default",
        "store": True,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": body.get("tools") or [],
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": usage if over else None,
        "user": None,
        "metadata": {},
    }


def _output(body: dict[str, Any], status: str) -> dict[str, Any]:
    over = status == "completed"
    if body.get("tools"):
        said = "".join(ARGUMENT_PIECES) if over else ""
        return {"type": "function_call", "id": "fc_1", "call_id": CALL_ID, "name": TOOL, "arguments": said} | {
            "status": status
        }
    part = {"type": "output_text", "text": TEXT, "annotations": [], "logprobs": []}
    return {"type": "message", "id": "msg_1", "status": status, "role": "assistant", "content": [part] if over else []}


def response_events(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for number, event in enumerate(_response_events(body)):
        yield {"type": event.pop("type"), "sequence_number": number, **event}


def _response_events(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield {"type": "response.created", "response": response(body, "in_progress")}
    yield {"type": "response.in_progress", "response": response(body, "in_progress")}
    yield {"type": "response.output_item.added", "output_index": 0, "item": _output(body, "in_progress")}
    if body.get("tools"):
        place: dict[str, Any] = {"item_id": "fc_1", "output_index": 0}
        for piece in ARGUMENT_PIECES:
            yield {"type": "response.function_call_arguments.delta", **place, "delta": piece}
        yield {"type": "response.function_call_arguments.done", **place, "arguments": "".join(ARGUMENT_PIECES)}
    else:
        place = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
        part = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
        yield {"type": "response.content_part.added", **place, "part": part}
        for word in WORDS:
            yield {"type": "response.output_text.delta", **place, "delta": word, "logprobs": []}
        yield {"type": "response.output_text.done", **place, "text": TEXT, "logprobs": []}
        yield {"type": "response.content_part.done", **place, "part": {**part, "text": TEXT}}
    yield {"type": "response.output_item.done", "output_index": 0, "item": _output(body, "completed")}
    yield {"type": "response.completed", "response": response(body)}


# -- Anthropic --------------------------------------------------------------------------------------------------------


def message(body: dict[str, Any]) -> dict[str, Any]:
    block: dict[str, Any] = {"type": "text", "text": TEXT}
    if body.get("tools"):
        block = {"type": "tool_use", "id": "toolu_01A", "name": TOOL, "input": ARGUMENTS}
    return {
        "model": body["model"],
        "id": "msg_01XFDUDYJgAACzvnptvVoYEL",
        "type": "message",
        "role": "assistant",
        "content": [block],
        "stop_reason": "tool_use" if body.get("tools") else "end_turn",
        "stop_sequence": None,
        "usage": message_usage(body, OUTPUT_TOKENS),
    }


def message_usage(body: dict[str, Any], output_tokens: int) -> dict[str, Any]:
    """Written to the cache where the request marks what to cache, else read from it."""
    written = 30 if '"cache_control"' in json.dumps(body) else 0
    return {
        "input_tokens": INPUT_TOKENS - CACHED_TOKENS - written,
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": CACHED_TOKENS,
        "cache_creation": {"ephemeral_5m_input_tokens": written, "ephemeral_1h_input_tokens": 0},
        "output_tokens": output_tokens,
        "service_tier": "standard",
    }


def message_events(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    begun = message(body) | {"content": [], "stop_reason": None, "usage": message_usage(body, 1)}
    yield {"type": "message_start", "message": begun}
    if body.get("tools"):
        block = {"type": "tool_use", "id": "toolu_01A", "name": TOOL, "input": {}}
        yield {"type": "content_block_start", "index": 0, "content_block": block}
        yield {"type": "ping"}
        for piece in ("", *ARGUMENT_PIECES):
            delta = {"type": "input_json_delta", "partial_json": piece}
            yield {"type": "content_block_delta", "index": 0, "delta": delta}
    else:
        yield {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
        yield {"type": "ping"}
        for word in WORDS:
            yield {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": word}}
    yield {"type": "content_block_stop", "index": 0}
    stopped = {"stop_reason": "tool_use" if body.get("tools") else "end_turn", "stop_sequence": None}
    usage = {"output_tokens": OUTPUT_TOKENS}
    yield {"type": "message_delta", "delta": stopped, "usage": usage}
    yield {"type": "message_stop"}
