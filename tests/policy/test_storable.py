"""Which answers are worth remembering: complete and good ones, on every wire, as a body and as events."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from breakeven.policy.call_ids import renewed
from breakeven.policy.decision import Operation
from breakeven.policy.storable import Storable, storable, storable_stream
from breakeven.upstreams.event_stream import event_data, split_events
from gateway import provider_answers as answers

PLAIN: dict[str, Any] = {"model": "m", "input": "x"}
WITH_TOOLS = PLAIN | {"tools": [{"type": "function"}]}
WHOLE: dict[Operation, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "chat": answers.chat,
    "completions": answers.completion,
    "responses": answers.response,
    "messages": answers.message,
    "embeddings": answers.embeddings,
}
STREAMED: dict[Operation, Callable[[dict[str, Any]], Iterable[dict[str, Any]]]] = {
    "chat": answers.chat_chunks,
    "completions": answers.completion_chunks,
    "responses": answers.response_events,
    "messages": answers.message_events,
}
CALLING: tuple[Operation, ...] = ("chat", "responses", "messages")
CALL_IDS = {"chat": b"call_4f1x", "responses": b"call_4f1x", "messages": b"toolu_01A"}


def whole(operation: Operation, answer: Any, *, pure_tools: bool = False) -> Storable:
    return storable(operation, json.dumps(answer).encode(), pure_tools=pure_tools)


def streamed(operation: Operation, events: Iterable[Any], *, pure_tools: bool = False) -> Storable:
    ends = [b"data: [DONE]\n\n"] if operation in ("chat", "completions") else []
    sent = b"".join([*(b"data: " + json.dumps(each).encode() + b"\n\n" for each in events), *ends])
    return storable_stream(operation, map(event_data, split_events(sent)), pure_tools=pure_tools)


@pytest.mark.parametrize("operation", WHOLE)
def test_a_complete_answer_is_stored(operation: Operation) -> None:
    assert whole(operation, WHOLE[operation](PLAIN)) == Storable(None, ())


@pytest.mark.parametrize("operation", STREAMED)
def test_a_complete_stream_is_stored(operation: Operation) -> None:
    usage = {"stream_options": {"include_usage": True}}
    assert streamed(operation, STREAMED[operation](PLAIN | usage)) == Storable(None, ())


@pytest.mark.parametrize("operation", CALLING)
def test_calls_of_tools_are_stored_where_tools_are_pure(operation: Operation) -> None:
    calling = WHOLE[operation](WITH_TOOLS)
    events = list(STREAMED[operation](WITH_TOOLS))
    assert whole(operation, calling) == streamed(operation, events) == Storable("tool_calls")
    stored = Storable(None, (CALL_IDS[operation],))
    assert whole(operation, calling, pure_tools=True) == streamed(operation, events, pure_tools=True) == stored


@pytest.mark.parametrize("operation", STREAMED)
def test_a_stream_that_was_cut_anywhere_is_not_stored(operation: Operation) -> None:
    events = list(STREAMED[operation](PLAIN))
    for kept in range(len(events)):
        cut = events[:kept] if operation in ("responses", "messages") else events
        data = [json.dumps(each).encode() for each in cut[: kept or None]]
        found = storable_stream(operation, data)  # neither its last event nor [DONE]
        assert found.reason == "incomplete", kept


def test_a_stream_that_is_done_without_its_end_is_not_stored() -> None:
    for operation in ("chat", "completions"):
        events = list(STREAMED[operation](PLAIN))
        assert streamed(operation, events[:-1]).reason == "incomplete"
        assert streamed(operation, []).reason == "incomplete"


ENDS: list[tuple[Operation, str, str]] = [
    ("chat", "length", "truncated"),
    ("chat", "content_filter", "filtered"),
    ("chat", "error", "failed"),
    ("chat", "who knows", "incomplete"),
    ("completions", "length", "truncated"),
    ("completions", "content_filter", "filtered"),
    ("messages", "max_tokens", "truncated"),
    ("messages", "model_context_window_exceeded", "truncated"),
    ("messages", "refusal", "refused"),
    ("messages", "pause_turn", "incomplete"),
    ("messages", "compaction", "incomplete"),
]


@pytest.mark.parametrize(("operation", "end", "reason"), ENDS)
def test_an_answer_that_ended_otherwise_is_not_stored(operation: Operation, end: str, reason: str) -> None:
    def ended(text: str) -> Any:
        for good in ('"finish_reason": "stop"', '"stop_reason": "end_turn"'):
            text = text.replace(good, f'{good.partition(":")[0]}: "{end}"')
        return json.loads(text)

    assert whole(operation, ended(json.dumps(WHOLE[operation](PLAIN)))).reason == reason
    assert streamed(operation, ended(json.dumps(list(STREAMED[operation](PLAIN))))).reason == reason


@pytest.mark.parametrize(
    ("status", "details", "reason"),
    [
        ("incomplete", {"reason": "max_output_tokens"}, "truncated"),
        ("incomplete", {"reason": "content_filter"}, "filtered"),
        ("incomplete", None, "incomplete"),
        ("failed", None, "failed"),
        ("cancelled", None, "incomplete"),
        ("in_progress", None, "incomplete"),
        ("queued", None, "incomplete"),
    ],
)
def test_a_response_that_ended_otherwise_is_not_stored(status: str, details: Any, reason: str) -> None:
    answer = answers.response(PLAIN) | {"status": status, "incomplete_details": details}
    assert whole("responses", answer).reason == reason
    for kind in ("response.incomplete", "response.completed", "response.failed"):
        assert streamed("responses", [{"type": kind, "response": answer}]).reason == reason


def test_one_bad_choice_spoils_the_answer() -> None:
    answer = answers.chat(PLAIN | {"n": 2})
    assert whole("chat", answer).reason is None
    answer["choices"][1] |= {"finish_reason": "length"}
    assert whole("chat", answer).reason == "truncated"
    chunks = [{"choices": [{"index": n, "delta": {"content": "x"}, "finish_reason": None}]} for n in (0, 1)]
    ends = [{"choices": [{"index": n, "delta": {}, "finish_reason": "stop"}]} for n in (0, 1)]
    assert streamed("chat", [*chunks, *ends]).reason is None
    assert streamed("chat", [*chunks, ends[0]]).reason == "incomplete"


def test_refusals_are_not_stored() -> None:
    answer = answers.chat(PLAIN)
    answer["choices"][0]["message"] |= {"content": None, "refusal": "I cannot."}
    assert whole("chat", answer).reason == "refused"
    chunk = {"choices": [{"index": 0, "delta": {"refusal": "I"}, "finish_reason": None}]}
    assert streamed("chat", [chunk, *answers.chat_chunks(PLAIN)]).reason == "refused"
    response = answers.response(PLAIN)
    response["output"][0]["content"] = [{"type": "refusal", "refusal": "I cannot."}]
    assert whole("responses", response).reason == "refused"


def test_answers_with_nothing_in_them_are_not_stored() -> None:
    for content in (None, "", []):
        answer = answers.chat(PLAIN)
        answer["choices"][0]["message"]["content"] = content
        assert whole("chat", answer).reason == "empty"
    assert whole("messages", answers.message(PLAIN) | {"content": []}).reason == "empty"
    assert whole("messages", answers.message(PLAIN) | {"content": [{"type": "text", "text": ""}]}).reason == "empty"
    assert whole("responses", answers.response(PLAIN) | {"output": []}).reason == "empty"
    assert whole("embeddings", answers.embeddings(PLAIN) | {"data": []}).reason == "empty"
    assert whole("embeddings", answers.embeddings(PLAIN) | {"data": [{"embedding": []}]}).reason == "empty"
    assert whole("chat", answers.chat(PLAIN) | {"choices": []}).reason == "incomplete"
    empty = [each for each in answers.chat_chunks(PLAIN) if "content" not in each["choices"][0]["delta"]]
    assert streamed("chat", empty).reason == "empty"
    quiet = [each for each in answers.message_events(PLAIN) if each["type"] != "content_block_delta"]
    assert streamed("messages", quiet).reason == "empty"


def test_reasoning_alone_is_no_answer() -> None:
    thinking = answers.message(PLAIN) | {"content": [{"type": "thinking", "thinking": "hm", "signature": "s"}]}
    assert whole("messages", thinking).reason == "empty"
    thinking["content"].append({"type": "text", "text": "42"})
    assert whole("messages", thinking).reason is None
    reasoning = answers.response(PLAIN)
    reasoning["output"].insert(0, {"type": "reasoning", "id": "rs_1", "summary": []})
    assert whole("responses", reasoning).reason is None


@pytest.mark.parametrize(
    "kind", ["web_search_call", "mcp_call", "code_interpreter_call", "image_generation_call", "new"]
)
def test_what_the_provider_did_itself_is_not_stored(kind: str) -> None:
    answer = answers.response(PLAIN)
    answer["output"].insert(0, {"type": kind, "id": "x_1", "status": "completed"})
    assert whole("responses", answer).reason == "provider_tools"


def test_what_anthropic_did_itself_is_not_stored() -> None:
    for kind in ("server_tool_use", "web_search_tool_result", "container_upload", "new"):
        answer = answers.message(PLAIN)
        answer["content"].insert(0, {"type": kind})
        assert whole("messages", answer).reason == "provider_tools"
        start = {"type": "content_block_start", "index": 0, "content_block": {"type": kind}}
        assert streamed("messages", [start, *answers.message_events(PLAIN)]).reason == "provider_tools"


@pytest.mark.parametrize("operation", WHOLE)
def test_errors_and_rubbish_are_not_stored(operation: Operation) -> None:
    assert whole(operation, {"error": {"message": "no"}}).reason == "failed"
    assert whole(operation, WHOLE[operation](PLAIN) | {"error": {"message": "no"}}).reason == "failed"
    for body in (
        b"",
        b"null",
        b"[]",
        b"7",
        b"{}",
        b"\xff",
        b"[" * 9_999,
        b'{"choices":[null],"output":[{}],"content":7}',
    ):
        assert storable(operation, body).reason in ("unreadable", "incomplete")


@pytest.mark.parametrize("operation", STREAMED)
def test_streams_with_an_error_or_rubbish_are_not_stored(operation: Operation) -> None:
    events = list(STREAMED[operation](PLAIN))
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "no"}}
    assert streamed(operation, [events[0], error, *events[1:]]).reason == "failed"
    assert storable_stream(operation, [b"{", b"[DONE]"]).reason == "unreadable"
    assert storable_stream(operation, [b"7", b"[DONE]"]).reason == "unreadable"


def test_embeddings_are_no_stream() -> None:
    assert storable_stream("embeddings", [b"{}"]).reason == "incomplete"


@pytest.mark.parametrize("call_id", ["0", "call_1", 'a"b"c"d"e', "call id with", "", None])
def test_calls_whose_ids_cannot_be_made_anew_are_not_stored(call_id: Any) -> None:
    answer = answers.chat(WITH_TOOLS)
    answer["choices"][0]["message"]["tool_calls"][0]["id"] = call_id
    found = whole("chat", answer, pure_tools=True)
    assert found == (Storable("tool_calls") if call_id else Storable(None, ()))


@pytest.mark.parametrize("operation", CALLING)
def test_each_serving_has_calls_of_its_own(operation: Operation) -> None:
    pieces = [b"data: " + json.dumps(each).encode() + b"\n\n" for each in STREAMED[operation](WITH_TOOLS)]
    judged = streamed(operation, STREAMED[operation](WITH_TOOLS), pure_tools=True)
    numbers = iter(range(9))
    once, again = (renewed(pieces, judged.call_ids, lambda: b"%08d" % next(numbers)) for _ in range(2))
    old = b'"%b"' % CALL_IDS[operation]
    assert old in b"".join(pieces)
    assert old not in b"".join((*once, *again))
    found = [
        streamed(operation, (json.loads(event_data(each)) for each in one), pure_tools=True) for one in (once, again)
    ]
    assert found[0].call_ids != found[1].call_ids
    begins = CALL_IDS[operation].partition(b"_")[0] + b"_"
    for one in found:
        assert one.reason is None
        assert [each.startswith(begins) and len(each) >= 21 for each in one.call_ids] == [True]


def test_only_the_id_itself_is_made_anew() -> None:
    said = json.dumps({"id": "call_12345", "text": 'say "call_12345" or call_12345'}).encode()
    assert renewed([said], [b"call_12345"], lambda: b"x" * 16) == (
        said.replace(b'"id": "call_12345"', b'"id": "call_xxxxxxxxxxxxxxxx"'),
    )
    assert renewed([b'["abcdefghi"]'], [b"abcdefghi"], lambda: b"x" * 16) == (b'["xxxxxxxxx"]',)
