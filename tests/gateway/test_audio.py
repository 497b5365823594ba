"""Audio through the gateway: held, priced and written as audio, or refused where it has no price."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from breakeven.catalog.usage import Usage
from breakeven.ledger.entry import LedgerEntry
from breakeven.ledger.ledger_file import opened
from breakeven.ledger.lookup import entries
from gateway.serving import Answering, Heard, Served, breaks, gives, serving

HEARD = {"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}]}
SPOKEN: dict[str, Any] = {"modalities": ["text", "audio"], "audio": {"voice": "alloy", "format": "wav"}}
COUNTS = {"prompt_tokens": 110, "completion_tokens": 35, "total_tokens": 145}
DETAILS = {"prompt_tokens_details": {"audio_tokens": 100}, "completion_tokens_details": {"audio_tokens": 30}}


def counting(**details: Any) -> Answering:
    choice = {"index": 0, "message": {"role": "assistant", "content": None}, "finish_reason": "stop"}
    return gives(200, json.dumps({"id": "1", "choices": [choice], "usage": {**COUNTS, **details}}).encode())


def tables() -> dict[str, Any]:
    models = ["gpt-audio", "gpt-4o-mini"]
    return {"upstreams": [{"name": "fake", "url": "http://127.0.0.1:9", "provider": "openai", "models": models}]}


async def asked(served: Served, model: str = "gpt-audio") -> Heard:
    return await served.chat(model=model, messages=[HEARD], **SPOKEN)


async def row_of(served: Served, told: Heard) -> LedgerEntry:
    assert await served.ledger.flush()
    with opened(served.path) as connection:
        (row,) = entries(connection, told.headers["x-breakeven-request-id"])
    return row


@pytest.mark.parametrize(
    ("details", "usage", "nano_usd"),
    [
        # 2.50 and 10 dollars a million of text, 32 and 64 of audio
        (
            DETAILS,
            Usage(input_tokens=110, input_audio_tokens=100, output_tokens=35, output_audio_tokens=30),
            10 * 2_500 + 100 * 32_000 + 5 * 10_000 + 30 * 64_000,
        ),
        (
            {},
            Usage(input_tokens=110, input_audio_tokens=110, output_tokens=35, output_audio_tokens=35),
            110 * 32_000 + 35 * 64_000,
        ),
    ],
)
def test_the_answer_the_row_and_the_totals_say_the_same(
    tmp_path: Path, details: dict[str, Any], usage: Usage, nano_usd: int
) -> None:
    async def scenario() -> None:
        async with serving(tmp_path, counting(**details), tables()) as served:
            told = await asked(served)
            assert (told.status, told.headers["x-breakeven-cost-nano-usd"]) == (200, str(nano_usd))
            row = await row_of(served, told)
            assert (row.usage, row.effective_nano_usd, row.usage_basis) == (usage, nano_usd, "reported")
            (total,) = (await served.admin("GET", "/admin/totals")).json["rows"]
            assert total["nano_usd"] == nano_usd
            assert (total["input_audio_tokens"], total["output_audio_tokens"]) == (
                usage.input_audio_tokens,
                usage.output_audio_tokens,
            )

    asyncio.run(scenario())


def test_an_estimate_takes_for_audio_what_may_be(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with serving(tmp_path, breaks(), tables()) as served:
            row = await row_of(served, await asked(served))
            assert row.usage_basis == "estimated"
            assert row.usage.input_audio_tokens == row.usage.input_tokens > 0
            assert row.effective_nano_usd == row.usage.input_tokens * 32_000

    asyncio.run(scenario())


def test_audio_without_a_price_is_not_sent(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with serving(tmp_path, counting(), tables()) as served:
            told = await asked(served, "gpt-4o-mini")
            assert (told.status, told.json["error"]["code"]) == (400, "not_priced")
            assert "audio price" in told.json["error"]["message"]
            assert not served.upstreams["fake"].bodies

    asyncio.run(scenario())


def test_audio_that_nobody_asked_for_costs_the_bound_where_it_has_no_price(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with serving(tmp_path, counting(**DETAILS), tables()) as served:
            row = await row_of(served, await served.chat(model="gpt-4o-mini"))
            assert (row.usage_basis, row.usage.input_audio_tokens) == ("bound", 100)
            assert row.effective_nano_usd > 35 * 600

    asyncio.run(scenario())
