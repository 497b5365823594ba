"""Answers to other wordings through the gateway: compared first, then served, only to who asked the same."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from breakeven.cache.semantic_evidence import evidence_of
from breakeven.policy.semantic_bound import least_comparisons
from gateway.live import Live, Told, configuration
from gateway.mock_upstream import MODEL, MockUpstream, mock_upstream
from gateway.remembering import CACHE, run

PROMISED_FRAC = 0.6
LEAST = least_comparisons(PROMISED_FRAC)
AGAIN = "What are the steps to switch on dark mode?"
_BEGINNINGS = ("How do I", "How can I", "How should I", "Can you tell me how to", "What is the best way to")
VARIANTS = [
    f"{begins} {verb} {mode}"
    for mode in ("dark mode?", "the dark mode")
    for begins in _BEGINNINGS
    for verb in ("enable", "turn on", "activate")
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wordings:
    live: Live
    mock: MockUpstream

    async def ask(self, text: str, *, key: str = "", stream: bool = False, **more: Any) -> Told:
        body = {"model": MODEL, "messages": [{"role": "user", "content": text}], "temperature": 0, "max_tokens": 20}
        body |= more | ({"stream": True} if stream else {})
        return await self.live.ask("POST", "/v1/chat/completions", body, key=key or self.live.key)

    async def gather(self, count: int, **more: Any) -> None:
        """Wordings of one question, each bought and all but the first compared."""
        for number in range(count + 1):
            told = await self.ask(VARIANTS[number], **more)
            assert told.headers["x-breakeven-cache"] == "miss"
            await self.until_compared(number)
        await asyncio.sleep(0.05)  # what is on disk is known a moment later

    async def until_compared(self, count: int) -> None:
        """Until so many comparisons are on disk, which is a little after the answers left."""
        async with asyncio.timeout(20):
            while count and count > sum(
                each.evidence.compared for each in evidence_of(self.live.folder / "ledger-cache.db")
            ):
                await asyncio.sleep(0.01)

    def compared(self) -> int:
        return sum(each.evidence.compared for each in evidence_of(self.live.folder / "ledger-cache.db"))

    @property
    def calls(self) -> int:
        return self.mock.seen[""]


@asynccontextmanager
async def wordings(folder: Path, mode: str, audit_frac: float = 0.000_001) -> AsyncIterator[Wordings]:
    said = f'semantic = {{ mode = "{mode}", max_wrong_frac = {PROMISED_FRAC}, audit_frac = {audit_frac} }}'
    async with mock_upstream() as mock:
        named = f'name = "{MODEL}"\n'
        text = CACHE + configuration(mock.url, timeout_s=20.0).replace(named, f"{named}{said}\n")
        with Live(folder=folder, config=text) as live:
            live.new_key()
            live.start()
            yield Wordings(live=live, mock=mock)


def test_it_serves_another_wording_once_enough_answers_were_the_same(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with wordings(tmp_path, "serve") as between:
            await between.gather(LEAST)
            told = await between.ask(AGAIN)
            assert told.headers["x-breakeven-cache"] == "semantic-hit"
            assert told.headers["x-breakeven-decision"].endswith("; semantic_cache")
            assert (told.cost_nano_usd, told.whole) == (0, True)
            await nobody_else_gets_it(between)
            (served,) = [row for row in await _rows(between.live) if row["served_from"] == "semantic_cache"]
            assert (served["effective_nano_usd"], served["attempt"]) == (0, 1)
            assert served["baseline_nano_usd"] > 0

            between.live.stop()
            between.live.start()
            for wording in VARIANTS[-2:]:  # what was asked is not on disk, so it is learnt again
                assert (await between.ask(wording)).headers["x-breakeven-cache"] == "miss"
            await between.until_compared(LEAST + 1)
            await asyncio.sleep(0.05)
            assert (await between.ask(AGAIN)).headers["x-breakeven-cache"] == "semantic-hit"

    run(scenario)


async def nobody_else_gets_it(between: Wordings) -> None:
    calls, mine, own_key = between.calls, {"role": "user", "content": AGAIN}, between.live.key
    strange = between.live.new_key("bob", tenant="globex")
    between.live.key = own_key
    for told in (
        await between.ask("How do I disable dark mode?"),
        await between.ask("How do I enable dark mode in 2 apps?"),
        await between.ask(AGAIN, key=strange),
        await between.ask(AGAIN, max_tokens=21),
        await between.ask(AGAIN, messages=[{"role": "system", "content": "Be brief."}, mine]),
        await between.ask(AGAIN, messages=[mine, {"role": "assistant", "content": "Which?"}, mine]),
        await between.ask(AGAIN, stream=True),
    ):
        assert told.headers["x-breakeven-cache"] == "miss"
    assert between.calls == calls + 7


@pytest.mark.parametrize(("mode", "stream"), [("shadow", True), ("serve", False)])
def test_in_shadow_mode_and_where_all_are_audited_it_only_compares(tmp_path: Path, mode: str, stream: bool) -> None:
    async def scenario() -> None:
        async with wordings(tmp_path, mode, audit_frac=1.0) as between:
            await between.gather(LEAST + 5, stream=stream)
            assert between.calls == LEAST + 6
            (told,) = evidence_of(tmp_path / "ledger-cache.db")
            assert (told.route, told.evidence.wrong, told.evidence.serving) == (MODEL, 0, True)

    run(scenario)


async def _rows(live: Live) -> list[dict[str, Any]]:
    await live.quiet()
    return live.rows()
