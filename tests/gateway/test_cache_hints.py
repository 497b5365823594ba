"""What other providers are told of their caches, in the bytes that arrive; an attempt elsewhere inherits nothing."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from openai.types.chat import CompletionCreateParams
from pydantic import ConfigDict, TypeAdapter

from gateway import provider_answers
from gateway.caching_provider import CachingAnthropic, Clock
from gateway.preparing import before, rows, upstream
from gateway.provider import Asked, Said, provider
from gateway.test_prompt_caching import MODEL, agent, asking, marks, text

PARAMS = TypeAdapter(CompletionCreateParams, config=ConfigDict(extra="forbid"))
LONG = text("a long system prompt", 2_000)
REPEATED = 4
"""Requests whose first attempt fails; after an even number of others."""


def chat(model: str = "gpt-4o-mini", system: str = LONG, **fields: Any) -> dict[str, Any]:
    said = [{"role": "system", "content": system}, {"role": "user", "content": text(str(fields), 20)}]
    return {"model": model, "messages": said, "max_tokens": 20, **fields}


def sent(
    folder: Path, bodies: list[dict[str, Any]], *, name: str = "openai", path: str = "/v1/chat/completions", **more: Any
) -> list[bytes]:
    """What arrives at an upstream of OpenAI's wire, tenant after tenant."""

    async def run() -> list[bytes]:
        with provider(counting) as found:
            models = sorted({body["model"] for body in bodies})
            table = upstream(name, found.url, "openai", models, input_usd_per_mtok=1, output_usd_per_mtok=1)
            tenants = more.get("tenants", ("acme",))
            async with before(folder, {"upstreams": [{**table, "provider": name}]}, *tenants) as (served, keys):
                served.gateway.pipeline.shared.preparation.marker.now_s = Clock()
                for tenant in tenants:
                    for body in bodies:
                        answer = await served.ask("POST", path, body, key=keys[tenant])
                        assert answer.status == 200, answer.body
            return [heard.body for heard in found.heard]

    return asyncio.run(run())


def counting(asked: Asked) -> Said:
    """OpenAI, which counts a token for every four bytes of what arrived."""
    said = provider_answers.openai(asked)
    answer = json.loads(said.body)
    tokens = len(asked.body) // 4
    for name in ("prompt_tokens", "input_tokens", "total_tokens"):
        if name in answer["usage"]:
            answer["usage"][name] = tokens
    return Said(body=json.dumps(answer).encode())


def key_of(body: bytes) -> str | None:
    found: str | None = json.loads(body).get("prompt_cache_key")
    return found


def test_long_prompts_of_one_tenant_that_begin_alike_share_a_key(tmp_path: Path) -> None:
    bodies = [chat(seed=1), chat(seed=2), chat(system=text("another", 2_000))]
    one, two, three, *others = sent(tmp_path, bodies, tenants=("acme", "other"))
    assert one == json.dumps(bodies[0]).encode()[:-1] + f',"prompt_cache_key":"{key_of(one)}"}}'.encode()
    assert key_of(one) == key_of(two) != key_of(three)
    assert len({*map(key_of, (one, three, *others))}) == 4
    assert {row["marked_by"] for row in rows(tmp_path)} == {"none"}


def test_a_key_is_a_response_s_too(tmp_path: Path) -> None:
    body = {"model": "gpt-4o-mini", "instructions": LONG, "input": "Hi", "max_output_tokens": 20}
    [arrived] = sent(tmp_path, [body], path="/v1/responses")
    assert {**body, "prompt_cache_key": key_of(arrived)} == json.loads(arrived)
    assert key_of(arrived)


@pytest.mark.parametrize(
    "body",
    [
        chat(system="short"),
        chat(prompt_cache_key="mine"),
        chat(prompt_cache_retention="24h"),
        chat(prompt_cache_options={"mode": "implicit"}),
        chat("gpt-5.6-sol", prompt_cache_options={"mode": "explicit"}),
    ],
)
def test_short_prompts_and_callers_who_say_something_are_left_alone(tmp_path: Path, body: dict[str, Any]) -> None:
    assert sent(tmp_path, [body, body, body]) == [json.dumps(body).encode()] * 3


def test_who_is_not_known_to_take_a_key_gets_none(tmp_path: Path) -> None:
    body = chat("qwen3-14b")
    assert sent(tmp_path, [body, body], name="own-gpu") == [json.dumps(body).encode()] * 2


def test_only_models_that_take_breakpoints_get_them(tmp_path: Path) -> None:
    for model, takes in (("gpt-5.5", False), ("gpt-5.6-sol", True)):
        (tmp_path / model).mkdir()
        bodies = [chat(model, metadata={"n": str(number)}) for number in range(150)]
        arrived = sent(tmp_path / model, bodies)
        marked = [body for body in arrived if b'"prompt_cache_breakpoint":{"mode":"explicit"}' in body]
        assert bool(marked) is takes
        for body in arrived:
            PARAMS.validate_python(json.loads(body))
            assert body.count(b"prompt_cache_breakpoint") <= 3
            assert b"prompt_cache_options" not in body
        assert {row["marked_by"] for row in rows(tmp_path / model)} == {"none"}, "it would have been cached anyway"


def test_a_fallback_elsewhere_inherits_no_marks(tmp_path: Path) -> None:
    steps = list(agent())

    async def run() -> tuple[list[bytes], list[bytes]]:
        clock = Clock()
        keeping = CachingAnthropic(clock)

        def failing(asked: Asked) -> Said:
            kept = keeping(asked)
            return Said(status=529) if len(keeping.billed) > len(steps) - 5 else kept

        with provider(failing) as theirs, provider(provider_answers.openai) as ours:
            tables = {
                "upstreams": [
                    upstream("anthropic", theirs.url, "anthropic", [MODEL]),
                    upstream("openai", ours.url, "openai", ["gpt-4o-mini"]),
                ],
                "models": [
                    {
                        "name": MODEL,
                        "targets": [{"upstream": "anthropic"}],
                        "fallbacks": [{"upstream": "openai", "model": "gpt-4o-mini"}],
                    }
                ],
                "gateway": {"max_attempts": 2},
            }
            async with before(tmp_path, tables) as (served, _):
                served.gateway.pipeline.shared.preparation.marker.now_s = clock
                for each in steps:
                    answer = await served.ask("POST", "/v1/messages", each.body, key=served.key)
                    assert answer.status == 200, answer.body
            return [heard.body for heard in theirs.heard], [heard.body for heard in ours.heard]

    theirs, ours = asyncio.run(run())
    assert marks(theirs[-1]), "the first attempt was marked"
    assert ours
    for body in ours:
        assert not marks(body)
        PARAMS.validate_python(json.loads(body))
    elsewhere = [row for row in rows(tmp_path) if row["deployment"] == "openai"]
    assert {row["marked_by"] for row in elsewhere} == {"none"}


def test_a_repeated_attempt_sends_the_same_bytes(tmp_path: Path) -> None:
    steps = list(agent())

    async def run() -> list[bytes]:
        clock = Clock()
        keeping = CachingAnthropic(clock)
        asked: list[Asked] = []

        def failing_at_first(each: Asked) -> Said:
            asked.append(each)
            twice = len(keeping.billed) >= len(steps) - REPEATED
            return Said(status=529) if twice and len(asked) % 2 else keeping(each)

        with provider(failing_at_first) as found:
            tables = {"upstreams": [upstream("anthropic", found.url, "anthropic", [MODEL])]}
            async with before(tmp_path, tables) as (served, _):
                served.gateway.pipeline.shared.preparation.marker.now_s = clock
                for each in steps:
                    clock.now_s += each.gap_s
                    answer = await served.ask("POST", "/v1/messages", each.body, key=served.key)
                    assert answer.status == 200, answer.body
            return [heard.body for heard in found.heard]

    bodies = asyncio.run(run())
    repeated = bodies[-2 * REPEATED :]
    assert len(bodies) == len(steps) + REPEATED
    assert repeated[0::2] == repeated[1::2]
    assert all(map(marks, repeated))


def test_a_model_whose_cache_is_not_known_is_not_marked(tmp_path: Path) -> None:
    async def run() -> list[bytes]:
        with provider(CachingAnthropic(Clock())) as found:
            table = upstream("anthropic", found.url, "anthropic", ["claude-next"], provider="elsewhere")
            tables = {"upstreams": [{**table, "input_usd_per_mtok": 1, "output_usd_per_mtok": 1}]}
            async with before(tmp_path, tables) as (served, _):
                for number in range(6):
                    messages = [{"role": "user", "content": f"{number}"}]
                    body = {**asking(messages, system=LONG), "model": "claude-next"}
                    assert (await served.ask("POST", "/v1/messages", body, key=served.key)).status == 200
            return [heard.body for heard in found.heard]

    assert not any(map(marks, asyncio.run(run())))
