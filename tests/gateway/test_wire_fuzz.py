"""No body, header or path, however wrong, gets a 5xx, or leaves a traceback, a key or a prompt behind."""

from __future__ import annotations

import asyncio
import copy
import json
import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import httpx2
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway import provider_answers
from gateway.clients import CLAUDE, CONFIG, EMBEDDING, GPT, LEGACY, PROVIDER_SECRET, Between, gateway_between
from gateway.provider import Asked, Said

CANARY = "canary-7f3a-prompt"
SECRET = "sk-be-Secret0Secret0Secret0Secret0Secret0Secret0x"
"""A key that is none, for places where a key does not belong."""
LIMIT_BYTES = 60_000
FUZZ_CONFIG = f"""
[gateway]
max_body_bytes = {LIMIT_BYTES}
retry_within_s = 0.0
{CONFIG}
[[upstreams]]
name = "echo"
wire = "echo"
"""

USER: Any = {"role": "user", "content": CANARY}
SCHEMA: Any = {"type": "object", "properties": {"city": {"type": "string"}}}
TOOL: Any = {"type": "function", "function": {"name": "f", "parameters": SCHEMA}}
CALL: Any = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
PARTS: Any = [
    {"type": "text", "text": CANARY},
    {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA", "detail": "low"}},
]
VALID: dict[str, list[Any]] = {
    "/v1/chat/completions": [
        {
            "model": model,
            "messages": [
                {"role": "system", "content": "Be kind."},
                {"role": "user", "content": PARTS},
                {"role": "assistant", "content": None, "tool_calls": [CALL]},
                {"role": "tool", "tool_call_id": "c", "content": "sunny"},
                USER,
            ],
            "max_tokens": 20,
            "temperature": 0.5,
            "stop": ["\n"],
            "tools": [TOOL],
            "tool_choice": "auto",
            "response_format": {"type": "json_schema", "json_schema": {"name": "w", "schema": SCHEMA}},
            "stream": stream,
            "stream_options": {"include_usage": True},
            "reasoning_effort": "low",
            "service_tier": "default",
            "n": 1,
        }
        for model in (GPT, CLAUDE, "echo")
        for stream in (False, True)
    ],
    "/v1/messages": [
        {
            "model": model,
            "max_tokens": 20,
            "system": [{"type": "text", "text": "Be kind.", "cache_control": {"type": "ephemeral"}}],
            "messages": [
                USER,
                {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}}]},
                {
                    "role": "user",
                    "content": [
                        {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "sunny"}]},
                        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
                        {"type": "text", "text": CANARY},
                    ],
                },
            ],
            "tools": [{"name": "f", "input_schema": SCHEMA}],
            "tool_choice": {"type": "auto"},
            "thinking": {"type": "enabled", "budget_tokens": 10},
            "metadata": {"user_id": "u"},
            "stop_sequences": ["\n"],
            "stream": stream,
        }
        for model in (GPT, CLAUDE, "echo")
        for stream in (False, True)
    ],
    "/v1/responses": [
        {
            "model": model,
            "input": [{"role": "user", "content": [{"type": "input_text", "text": CANARY}]}],
            "instructions": "Be kind.",
            "max_output_tokens": 20,
            "tools": [{"type": "function", "name": "f", "parameters": SCHEMA}],
            "text": {"format": {"type": "text"}},
            "stream": stream,
        }
        for model in (GPT, "echo")
        for stream in (False, True)
    ],
    "/v1/completions": [
        {"model": model, "prompt": [CANARY, CANARY], "max_tokens": 9, "n": 1, "best_of": 1, "stream": True}
        for model in (LEGACY, "echo")
    ],
    "/v1/embeddings": [
        {"model": model, "input": [CANARY], "dimensions": 3, "encoding_format": "base64"}
        for model in (EMBEDDING, "echo")
    ],
}
CASES = [(path, body) for path, bodies in VALID.items() for body in bodies]

ODD_TEXT = st.sampled_from(
    ["", "\0", "\u2028", "\ud800", "é" * 300, "👋", "a\r\nx: y", "../..", "{}", "null", "NaN", "x" * 600, "%s%n{0}"]
)
ODD_NUMBER = st.sampled_from([0, -1, 1, 10**9, 10**18, 2**63, 2**64, 10**400, 0.5, -0.0, 1e308, 5e-324])
LEAF = st.one_of(st.none(), st.booleans(), ODD_NUMBER, ODD_TEXT, st.integers(), st.floats(allow_nan=False), st.text())
ODD: st.SearchStrategy[Any] = st.recursive(
    LEAF,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
TYPES = st.sampled_from(["text", "image_url", "input_audio", "file", "tool_use", "tool_result", "thinking", "x_new"])
RAW = st.sampled_from(
    [
        *(b"", b" ", b"null", b"true", b"0", b'"x"', b"[]", b"{}", b"{", b'{"model"', b"\xff\xfe", b"\xef\xbb\xbf{}"),
        *(
            b'{"model": NaN}',
            b'{"model": Infinity}',
            b"{'model': 1}",
            b'{"a": 01}',
            b'{"a": 1,}',
            b"{} {}",
            b'{"\\ud800": 1}',
        ),
        *(b"[" * 5_000, b'{"a":' * 5_000, b'{"model": "' + b"m" * 50_000 + b'"}', b"\0" * 100, b"model=x&messages=y"),
        *(b'{"model": "echo", "model": "\\u0000", "messages": []}', b'{"messages": [], "model": "gpt\\n4"}'),
    ]
)
DEEP = [b"[" * 20_000 + b"]" * 20_000, b'{"a":' * 8_000 + b"1" + b"}" * 8_000]


def unending(asked: Asked) -> Said:
    """A provider that answers anything; what is asked of it is not what is tested."""
    usual = {"model": "m", "stream": b'"stream":true' in asked.body or b'"stream": true' in asked.body, "input": "x"}
    body = json.dumps(usual | {"stream_options": {"include_usage": True}}).encode()
    answer = provider_answers.anthropic if asked.path.endswith("/messages") else provider_answers.openai
    return answer(asked._replace(body=body))


@pytest.fixture(scope="module")
def between(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Between]:
    folder = tmp_path_factory.mktemp("gateway")
    with ExitStack() as stack:
        found = stack.enter_context(gateway_between(folder, FUZZ_CONFIG, arguments=("--log-level", "debug")))
        found.openai_provider.answering = found.anthropic_provider.answering = unending
        yield found


@pytest.fixture(scope="module")
def http(between: Between) -> Iterator[httpx2.Client]:
    key = f"Bearer {between.live.key}"
    with httpx2.Client(base_url=between.url, headers={"authorization": key}, timeout=20) as client:
        yield client


@pytest.fixture(autouse=True)
def nothing_left_behind(between: Between) -> Iterator[None]:
    """After each test: the process serves, holds nothing, and its log (at debug) has no traceback, key or prompt."""
    yield
    metrics = asyncio.run(between.live.quiet())
    assert metrics["breakeven_holds"] == 0
    log = between.live.log
    assert "Traceback" not in log, log[log.index("Traceback") :][:4_000]
    for secret in (CANARY, between.live.key, SECRET, PROVIDER_SECRET):
        assert secret not in log


def check(between: Between, status: int, body: bytes) -> None:
    """What every answer must be."""
    assert status < 500, body[:500]
    if status >= 400:
        assert json.loads(body)["error"]["message"]
        for secret in (CANARY, between.live.key, SECRET, PROVIDER_SECRET):
            assert secret.encode() not in body


@st.composite
def misshapen(draw: st.DrawFn) -> tuple[str, bytes]:
    """A valid body in which up to three places hold something else, lack, or are twice there."""
    path, valid = draw(st.sampled_from(CASES))
    body = copy.deepcopy(valid)
    for _ in range(draw(st.integers(1, 3))):
        place: Any = body
        while isinstance(place, dict | list) and place:
            name = draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
            inner = place[name]
            if not isinstance(inner, dict | list) or not inner or draw(st.integers(0, 3)) == 0:
                if inner != valid.get("model"):  # an unknown model ends it all
                    place[name] = draw(TYPES if name == "type" and draw(st.booleans()) else ODD)
                break
            place = inner
    if draw(st.booleans()):
        body[
            draw(st.sampled_from(["x_new", "web_search_options", "modalities", "background", "container", "speed"]))
        ] = draw(ODD)
    text = json.dumps(body, ensure_ascii=draw(st.booleans())).encode("utf-8", "surrogatepass")
    if draw(st.integers(0, 9)) == 0:  # a name twice
        text = b'{"messages": [], "max_tokens": 1e999, ' + text[1:]
    return path, text


@given(misshapen())
@settings(max_examples=400)
def test_a_body_of_the_wrong_shape(between: Between, http: httpx2.Client, asked: tuple[str, bytes]) -> None:
    path, body = asked
    answer = http.post(path, content=body, headers={"content-type": "application/json"})
    check(between, answer.status_code, answer.content)


TWICE = st.dictionaries(
    st.sampled_from(["model", "messages", "max_tokens", "n", "stream", "x_new", "x", "stop"]),
    st.lists(st.sampled_from(["1", "2", "[1]", '"a"', "null", "{}", '"\\u0061"', "1.50"]), min_size=1, max_size=3),
)


@given(TWICE, st.booleans(), st.booleans(), st.randoms())
@settings(max_examples=200)
def test_the_provider_reads_what_we_read(
    between: Between, http: httpx2.Client, extra: dict[str, list[str]], spaced: bool, escaped: bool, order: Any
) -> None:
    """Of a name that is there twice only the last value is sent on, so that nobody is billed for what was not held."""
    pairs = [(name, value) for name, values in extra.items() for value in values]
    order.shuffle(pairs)
    pairs += [
        ("model", f'"{GPT}"'),
        ("messages", json.dumps([USER])),
        ("stream", "false"),
        ("max_tokens", "7"),
        ("n", "1"),
    ]
    gap = " \n" if spaced else ""
    names = {name: name.replace("e", "\\u0065") if escaped else name for name, _ in pairs}
    body = "{" + ",".join(f'{gap}"{names[name]}":{gap}{value}' for name, value in pairs) + gap + "}"
    heard = len(between.openai_provider.heard)
    answer = http.post("/v1/chat/completions", content=body.encode())
    assert answer.status_code == 200, answer.text
    [asked] = between.openai_provider.heard[heard:]
    came = json.loads(asked.body, object_pairs_hook=list)
    assert len(came) == len({name for name, _ in came}), asked.body
    assert json.loads(asked.body) == json.loads(body)
    assert b"1.50" in asked.body or not any(value == "1.50" for value in dict(pairs).values()), "numbers as written"


@given(
    st.sampled_from(sorted(VALID)),
    RAW | st.binary(max_size=200),
    st.floats(0, 1),
    st.sampled_from(CASES),
    st.booleans(),
)
@settings(max_examples=200)
def test_a_body_that_is_no_json(
    between: Between, http: httpx2.Client, path: str, odd: bytes, cut: float, case: tuple[str, Any], alone: bool
) -> None:
    valid = json.dumps(case[1]).encode()
    at = int(cut * len(valid))
    body = odd if alone else valid[:at] + (odd if len(odd) < 300 else b"") + valid[at + len(odd) % 3 :]
    answer = http.post(path, content=body)
    check(between, answer.status_code, answer.content)


@pytest.mark.parametrize("wrong", [b"\xff", b"\xc3(", b"\xed\xa0\x80", "é".encode("latin-1")])
@pytest.mark.parametrize("path", VALID)
def test_a_body_that_is_not_utf_8(between: Between, http: httpx2.Client, path: str, wrong: bytes) -> None:
    """In the value of each field, where the readers of raw JSON do not look, and in each text below them."""
    for valid in VALID[path]:
        text = json.dumps(valid).encode()
        bodies = [json.dumps({**valid, name: "@here@"}).encode().replace(b"@here@", wrong) for name in valid]
        places = [found.start() + 1 for found in re.finditer(rb'"[a-zA-Z]', text)]
        bodies += [text[:at] + wrong + text[at:] for at in places]
        for body in bodies:
            answer = http.post(path, content=body)
            check(between, answer.status_code, answer.content)
            assert answer.status_code in (200, 400, 404)


@pytest.mark.parametrize("deep", DEEP)
@pytest.mark.parametrize("path", VALID)
def test_a_body_nested_without_end(between: Between, http: httpx2.Client, path: str, deep: bytes) -> None:
    """At every place, since each is read by another decoder."""
    limited = deep[:0] + deep if len(deep) < LIMIT_BYTES - 3_000 else deep[:20_000] + deep[-20_000:]
    for name in (
        "messages",
        "input",
        "tools",
        "metadata",
        "response_format",
        "stream_options",
        "x_new",
        "system",
        "stop",
    ):
        body = dict(VALID[path][0])
        marked = json.dumps({**body, name: "@here@"}).encode().replace(b'"@here@"', limited)
        answer = http.post(path, content=marked)
        check(between, answer.status_code, answer.content)
    assert http.post(path, content=deep[:LIMIT_BYTES]).status_code == 400


HEADER_TEXT = st.text(st.characters(codec="latin-1", exclude_characters="\r\n\0"), max_size=60)
HEADERS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                *("authorization", "x-api-key", "api-key", "content-type", "content-encoding", "accept", "traceparent"),
                *("tracestate", "anthropic-version", "anthropic-beta", "openai-beta", "idempotency-key", "cookie"),
                *("x-breakeven-tags", "x-breakeven-request-id", "x-forwarded-for", "expect", "connection", "upgrade"),
                *("accept-encoding", "range", "if-none-match", "te", "origin", "user-agent", "x-http-method-override"),
            ]
        ),
        st.one_of(
            HEADER_TEXT,
            st.sampled_from(
                [
                    f"Bearer {SECRET}",
                    SECRET,
                    f"Basic {SECRET}",
                    "gzip",
                    "a=b,c=d",
                    "=,=",
                    "a=" + "b" * 300,
                    "00-0-0-0",
                    "é=ü",
                ]
            ),
        ),
    ),
    max_size=6,
)
PATHS = st.one_of(
    st.sampled_from(
        [*VALID, "/v1/models", "/v1/messages/count_tokens", "/healthz", "/readyz", "/metrics", "/admin/keys"]
    ),
    st.text(st.characters(codec="ascii", exclude_categories=["Cc"], exclude_characters=" #"), max_size=40).map(
        "/".__add__
    ),
    st.sampled_from(
        ["/v1/../admin/keys", "/%2e%2e/etc/passwd", "/v1//chat/completions", "/v1/chat/completions/", "/?a=" * 50]
    ),
)
METHODS = st.sampled_from(["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"])


def spoken(
    between: Between, method: str, target: str, headers: list[tuple[str, str]], body: bytes
) -> tuple[int, bytes]:
    """Send a request as it is; the status and what follows the head."""
    lines = [f"{method} {target} HTTP/1.1", "host: gateway", f"content-length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers] + ["connection: close", "", ""]
    with socket.create_connection(("127.0.0.1", between.live.port), timeout=20) as connected:
        connected.sendall("\r\n".join(lines).encode("latin-1") + body)
        heard = b""
        while part := connected.recv(65_536):
            heard += part
    found = re.match(rb"HTTP/1\.1 (\d{3})", heard.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n"))
    assert found, heard
    return int(found[1]), heard


@given(METHODS, PATHS, HEADERS, st.booleans())
@settings(max_examples=200)
@example("POST", "/v1/chat/completions", [("x-breakeven-tags", "é=ü")], True)
@example("POST", "/v1/messages", [("anthropic-version", "\x80\xff")], True)
def test_any_header_and_path(
    between: Between, method: str, target: str, headers: list[tuple[str, str]], known: bool
) -> None:
    body = json.dumps(VALID.get(target, [{}])[0]).encode()
    mine = [("authorization", f"Bearer {between.live.key}")] if known else []
    taken = [
        each for each in headers if each[0] not in ("authorization", "connection", "content-encoding") or not known
    ]
    status, heard = spoken(between, method, target, mine + taken, body)
    assert status < 500, heard
    if status >= 400:
        for secret in (CANARY, between.live.key, SECRET, PROVIDER_SECRET):
            assert secret.encode() not in heard


@pytest.mark.parametrize("path", VALID)
def test_limits_are_told_by_their_statuses(between: Between, path: str) -> None:
    key = ("authorization", f"Bearer {between.live.key}")
    assert spoken(between, "POST", path, [key], b"x" * (LIMIT_BYTES + 1))[0] == 413
    assert spoken(between, "POST", path, [key, ("x-big", "y" * 17_000)], b"{}")[0] == 431
    assert spoken(between, "POST", path + "?" + "q" * 9_000, [key], b"{}")[0] == 414
    assert spoken(between, "GET", path, [key], b"")[0] == 405
    assert spoken(between, "POST", path, [], b"{}")[0] == 401
