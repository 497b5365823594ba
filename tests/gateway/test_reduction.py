"""Results of tools are sent without whitespace that means nothing: what arrives, and what that is said to save."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from gateway import provider_answers
from gateway.preparing import before, rows, upstream
from gateway.provider import Asked, Provider, Said, provider

GPT, CLAUDE = "gpt-4o-mini", "claude-haiku-4-5"
FOUND = {"rows": [{"id": number, "name": f"Zoë {number}", "price": 1.50} for number in range(40)]}
SPACED, SHORT = json.dumps(FOUND, indent=4), json.dumps(FOUND, separators=(",", ":"))
RUNS = 2 + 40 * 8 + 2
"""Runs of whitespace: of each row, before its brackets and its keys and after the colons; and around the rows."""

USE = {"type": "tool_use", "id": "t", "name": "look", "input": {}}
CALL = {"id": "t", "type": "function", "function": {"name": "look", "arguments": '{ "at": 1 }'}}


def chat(found: str, **fields: Any) -> dict[str, Any]:
    said = [
        {"role": "user", "content": SPACED},
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "t", "content": found},
    ]
    return {"model": GPT, "messages": said, "max_tokens": 50, **fields}


def message(found: str, **fields: Any) -> dict[str, Any]:
    said = [
        {"role": "user", "content": SPACED},
        {"role": "assistant", "content": [USE]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": found}]},
    ]
    return {"model": CLAUDE, "messages": said, "max_tokens": 50, **fields}


def counting(asked: Asked) -> Said:
    """A provider that counts one token for every four bytes of what arrived."""
    said = provider_answers.anthropic(asked) if asked.path.endswith("/messages") else provider_answers.openai(asked)
    answer = json.loads(said.body)
    tokens = len(asked.body) // 4
    answer["usage"] = {"input_tokens": tokens, "output_tokens": 5, "prompt_tokens": tokens, "completion_tokens": 5}
    return Said(body=json.dumps(answer).encode())


def tables(upstreams: Provider, **gateway: Any) -> dict[str, Any]:
    return {
        "upstreams": [
            upstream("openai", upstreams.url, "openai", [GPT]),
            upstream("anthropic", upstreams.url, "anthropic", [CLAUDE]),
        ],
        "gateway": {"prompt_cache": "off", **gateway},
    }


def sent(folder: Path, path: str, body: Any, **gateway: Any) -> tuple[bytes, dict[str, Any]]:
    """The bytes that arrive for a body, and its row."""

    async def run() -> bytes:
        with provider(counting) as found:
            async with before(folder, tables(found, **gateway)) as (served, _):
                answer = await served.ask("POST", path, json.dumps(body, ensure_ascii=False).encode(), key=served.key)
                assert answer.status == 200, answer.body
            return found.heard[-1].body

    return asyncio.run(run()), rows(folder)[-1]


@pytest.mark.parametrize(("path", "asked"), [("/v1/chat/completions", chat), ("/v1/messages", message)])
def test_the_result_arrives_short_and_everything_else_byte_for_byte(tmp_path: Path, path: str, asked: Any) -> None:
    body, row = sent(tmp_path, path, asked(SPACED))
    assert body == json.dumps(asked(SHORT), ensure_ascii=False).encode()
    assert row["removed_input_tokens"] == min(RUNS, (len(SPACED) - len(SHORT)) * (len(body) // 4) // len(body))
    assert row["removed_nano_usd"] > 0


@pytest.mark.parametrize(("path", "asked"), [("/v1/chat/completions", chat), ("/v1/messages", message)])
def test_it_is_off_where_the_configuration_says_so(tmp_path: Path, path: str, asked: Any) -> None:
    body, row = sent(tmp_path, path, asked(SPACED), reduce="off")
    assert body == json.dumps(asked(SPACED), ensure_ascii=False).encode()
    assert (row["removed_input_tokens"], row["removed_nano_usd"]) == (0, 0)


def test_what_is_translated_is_reduced_too(tmp_path: Path) -> None:
    body, row = sent(tmp_path, "/v1/chat/completions", chat(SPACED, model=CLAUDE))
    assert json.loads(body)["messages"][-1]["content"][0]["content"] == SHORT
    assert json.loads(body)["messages"][0]["content"][0]["text"] == SPACED
    assert row["removed_input_tokens"] > 0


def test_a_conversation_that_grows_keeps_the_beginning_that_was_sent(tmp_path: Path) -> None:
    first = chat(SPACED)
    grown = {**first, "messages": [*first["messages"], {"role": "tool", "tool_call_id": "u", "content": SPACED}]}
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    one, _ = sent(tmp_path / "a", "/v1/chat/completions", first)
    two, _ = sent(tmp_path / "b", "/v1/chat/completions", grown)
    assert len(one) < len(two)
    assert two.startswith(one[: one.rindex(b'], "max_tokens"')])


def test_a_model_may_say_otherwise_than_the_gateway(tmp_path: Path) -> None:
    async def run() -> list[bytes]:
        with provider(counting) as found:
            both = tables(found, reduce="off")
            both["models"] = [
                {"name": name, "targets": [{"upstream": "openai", "model": GPT}], **more}
                for name, more in (("quoting", {}), ("short", {"reduce": "json"}))
            ]
            async with before(tmp_path, both) as (served, _):
                for name in ("quoting", "short"):
                    answer = await served.ask("POST", "/v1/chat/completions", chat(SPACED, model=name), key=served.key)
                    assert answer.status == 200, answer.body
            return [heard.body for heard in found.heard]

    quoting, short = asyncio.run(run())
    assert json.loads(quoting)["messages"][-1]["content"] == SPACED
    assert json.loads(short)["messages"][-1]["content"] == SHORT
