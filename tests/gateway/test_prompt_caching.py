"""Marks before a provider that really keeps a prompt cache: what arrives there, what is saved, and whose that is."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from breakeven.ledger.ledger_file import opened
from breakeven.ledger.totals import TotalsQuery, totals
from gateway.caching_provider import Billed, CachingAnthropic, Clock
from gateway.preparing import before, rows, upstream
from gateway.provider import provider

MODEL = "claude-sonnet-4-5"
NANO_PER_INPUT, NANO_PER_READ = 3_000, 300
NANO_PER_WRITE = {"5m": 3_750, "1h": 6_000}
WORDS = ("order", "customer", "status", "address", "delivery", "invoice", "refund", "total", "price", "please")


class Sent(NamedTuple):
    """One request: how long after the one before, and what it asks."""

    gap_s: float
    body: dict[str, Any]


def text(seed: str, words: int) -> str:
    return " ".join(random.Random(seed).choices(WORDS, k=words))


def asking(messages: list[Any], **fields: Any) -> dict[str, Any]:
    return {"model": MODEL, "max_tokens": 20, "messages": messages, **fields}


def one_shots() -> Iterator[Sent]:
    """Long prompts that nothing has in common with any other."""
    for number in range(120):
        yield Sent(5, asking([{"role": "user", "content": text(f"one {number}", 1_500)}]))


def shared_system() -> Iterator[Sent]:
    """One long system prompt, and each question asked once."""
    system = text("system", 2_000)
    for number in range(160):
        yield Sent(20, asking([{"role": "user", "content": text(f"question {number}", 30)}], system=system))


def conversations() -> Iterator[Sent]:
    """Eight conversations at once, each eight turns long, three times."""
    for day in range(3):
        said = [[{"role": "user", "content": text(f"begin {day} {each}", 1_200)}] for each in range(8)]
        for turn in range(8):
            for each, messages in enumerate(said):
                yield Sent(7, asking(list(messages), system="Be kind."))
                messages.append({"role": "assistant", "content": text(f"answer {each} {turn}", 150)})
                messages.append({"role": "user", "content": text(f"turn {each} {turn}", 60)})


def agent() -> Iterator[Sent]:
    """One agent with tools, which takes thirty steps for each of three tasks."""
    tools = [
        {"name": f"tool_{each}", "description": text(f"tool {each}", 80), "input_schema": {"type": "object"}}
        for each in range(12)
    ]
    for task in range(3):
        messages: list[Any] = [{"role": "user", "content": text(f"task {task}", 200)}]
        for step in range(30):
            yield Sent(4, asking(list(messages), system=text("agent", 900), tools=tools))
            use = {"type": "tool_use", "id": f"t{step}", "name": "tool_1", "input": {"at": step}}
            found = json.dumps({"a": [text(f"found {task} {step}", 90)]}, indent=2)
            result = {"type": "tool_result", "tool_use_id": f"t{step}", "content": found}
            messages += [{"role": "assistant", "content": [use]}, {"role": "user", "content": [result]}]


def many_calls() -> Iterator[Sent]:
    """An agent whose every step calls thirty tools at once: more blocks than the provider looks back."""
    for task in range(8):
        messages: list[Any] = [{"role": "user", "content": text(f"task {task}", 900)}]
        for step in range(12):
            yield Sent(4, asking(list(messages)))
            names = [f"t{step}-{number}" for number in range(30)]
            uses = [{"type": "tool_use", "id": name, "name": "look", "input": {}} for name in names]
            found = [{"type": "tool_result", "tool_use_id": name, "content": text(name, 12)} for name in names]
            messages += [{"role": "assistant", "content": uses}, {"role": "user", "content": found}]


def too_slow() -> Iterator[Sent]:
    """One long system prompt, asked with again only when it is forgotten."""
    system = text("slow", 2_000)
    for number in range(60):
        yield Sent(1_200, asking([{"role": "user", "content": text(f"slow {number}", 30)}], system=system))


def too_short() -> Iterator[Sent]:
    """The same short prompt again and again: below the least that is cached."""
    for number in range(40):
        yield Sent(5, asking([{"role": "user", "content": f"{number}"}], system=text("short", 200)))


def mixed() -> Iterator[Sent]:
    """All of it by turns, as a gateway sees it."""
    shapes = [one_shots(), shared_system(), conversations(), agent()]
    chance = random.Random(7)
    while shapes:
        shape = chance.choice(shapes)
        found = next(shape, None)
        if found is None:
            shapes.remove(shape)
        else:
            yield Sent(found.gap_s / 4, found.body)


SHAPES: dict[str, Callable[[], Iterator[Sent]]] = {
    each.__name__: each
    for each in (one_shots, shared_system, conversations, agent, many_calls, too_slow, too_short, mixed)
}


class Outcome(NamedTuple):
    """What a run of requests came to: the bodies that arrived, what was billed for each, and the rows."""

    bodies: list[bytes]
    billed: list[Billed]
    rows: list[dict[str, Any]]

    @property
    def saved_nano_usd(self) -> list[int]:
        """What each request cost less than with no cache at all, by what the provider billed."""
        return [
            each.total * NANO_PER_INPUT
            - each.fresh * NANO_PER_INPUT
            - each.read * NANO_PER_READ
            - sum(tokens * NANO_PER_WRITE[ttl] for ttl, tokens in each.written.items())
            for each in self.billed
        ]

    @property
    def later_saved_frac(self) -> float:
        """Of the input bill without a cache, over the later half of the requests."""
        half = len(self.billed) // 2
        plain_nano_usd: int = NANO_PER_INPUT * sum(each.total for each in self.billed[half:])
        return sum(self.saved_nano_usd[half:]) / plain_nano_usd


def run(
    folder: Path,
    sent: Iterable[Sent],
    *,
    path: str = "/v1/messages",
    model: dict[str, Any] | None = None,
    forgets: bool = False,
    splits: bool = True,
    tenants: tuple[str, ...] = ("acme",),
) -> Outcome:
    """Send requests one after another, at the times of a clock that the gateway and the provider share.

    Each is sent once for every tenant.
    """
    clock = Clock()
    keeping = CachingAnthropic(clock, forgets=forgets, splits=splits)

    async def send() -> list[bytes]:
        with provider(keeping) as found:
            tables: dict[str, Any] = {"upstreams": [upstream("anthropic", found.url, "anthropic", [MODEL])]}
            if model is not None:
                tables["models"] = [{"name": MODEL, "targets": [{"upstream": "anthropic"}], **model}]
            async with before(folder, tables, *tenants) as (served, keys):
                served.gateway.pipeline.shared.preparation.marker.now_s = clock
                for each in sent:
                    clock.now_s += each.gap_s
                    for tenant in tenants:
                        answer = await served.ask("POST", path, each.body, key=keys[tenant])
                        assert answer.status == 200, answer.body
            return [heard.body for heard in found.heard]

    bodies = asyncio.run(send())
    return Outcome(bodies, keeping.billed, rows(folder))


def marks(body: bytes) -> int:
    return body.count(b'"cache_control"')


@pytest.mark.parametrize("name", SHAPES)
def test_what_the_gateway_marks_saves_money_and_its_rows_say_how_much(tmp_path: Path, name: str) -> None:
    outcome = run(tmp_path, SHAPES[name]())
    assert [row["prompt_cache_saved_nano_usd"] for row in outcome.rows] == outcome.saved_nano_usd
    assert [row["marked_by"] == "gateway" for row in outcome.rows] == [marks(body) > 0 for body in outcome.bodies]
    assert sum(outcome.saved_nano_usd) >= 0


@pytest.mark.parametrize(
    ("name", "least_frac"), [("shared_system", 0.8), ("conversations", 0.6), ("agent", 0.75), ("many_calls", 0.6)]
)
def test_what_repeats_is_cheap(tmp_path: Path, name: str, least_frac: float) -> None:
    """A cache that is always read would save 0.9 of what repeats; it is learned from the earlier half."""
    assert run(tmp_path, SHAPES[name]()).later_saved_frac > least_frac


def test_a_chat_that_anthropic_serves_is_marked_too(tmp_path: Path) -> None:
    def chats() -> Iterator[Sent]:
        for gap_s, body in conversations():
            system = {"role": "system", "content": body["system"]}
            yield Sent(gap_s, asking([system, *body["messages"]]))

    outcome = run(tmp_path, chats(), path="/v1/chat/completions")
    assert {row["operation"] for row in outcome.rows} == {"chat"}
    assert outcome.later_saved_frac > 0.6
    assert [row["prompt_cache_saved_nano_usd"] for row in outcome.rows] == outcome.saved_nano_usd


def callers(**mark: Any) -> Iterator[Sent]:
    for gap_s, body in shared_system():
        block = {"type": "text", "text": body["system"], "cache_control": {"type": "ephemeral", **mark}}
        yield Sent(gap_s, {**body, "system": [block]})


@pytest.mark.parametrize("mark", [{}, {"ttl": "1h"}])
def test_a_caller_who_marks_is_left_alone_and_credited(tmp_path: Path, mark: dict[str, str]) -> None:
    sent = list(callers(**mark))
    outcome = run(tmp_path, sent)
    assert outcome.bodies == [json.dumps(each.body).encode() for each in sent]
    assert {row["marked_by"] for row in outcome.rows} == {"caller"}
    assert sum(outcome.saved_nano_usd) > 0
    assert credited(tmp_path) == (0, sum(outcome.saved_nano_usd))


def test_automatic_caching_is_the_callers_too(tmp_path: Path) -> None:
    sent = [Sent(gap_s, {**body, "cache_control": {"type": "ephemeral"}}) for gap_s, body in shared_system()]
    outcome = run(tmp_path, sent)
    assert outcome.bodies == [json.dumps(each.body).encode() for each in sent]
    assert {row["marked_by"] for row in outcome.rows} == {"caller"}


def test_what_the_gateway_causes_is_its_credit(tmp_path: Path) -> None:
    outcome = run(tmp_path, shared_system())
    assert credited(tmp_path) == (sum(outcome.saved_nano_usd), 0)


def credited(folder: Path) -> tuple[int, int]:
    """What the ledger's totals say was saved by the gateway's marks, and what would have been saved anyway."""
    with opened(folder / "ledger.db") as connection:
        [total] = totals(connection, TotalsQuery())
    return total.prompt_cache_caused_nano_usd, total.prompt_cache_anyway_nano_usd


def test_it_is_off_where_the_model_says_so(tmp_path: Path) -> None:
    sent = list(agent())
    outcome = run(tmp_path, sent, model={"prompt_cache": "off", "reduce": "off"})
    assert outcome.bodies == [json.dumps(each.body).encode() for each in sent]
    assert {row["marked_by"] for row in outcome.rows} == {"none"}


@pytest.mark.parametrize("splits", [True, False])
def test_marks_may_ask_for_an_hour(tmp_path: Path, splits: bool) -> None:
    def every_ten_minutes() -> Iterator[Sent]:
        return (Sent(600, body) for _, body in (*shared_system(), *shared_system()))

    outcome = run(tmp_path, every_ten_minutes(), model={"prompt_cache_ttl": "1h"}, splits=splits)
    marked = [body for body in outcome.bodies if marks(body)]
    assert marked
    assert all(body.count(b'"cache_control":{"type":"ephemeral","ttl":"1h"}') == marks(body) for body in marked)
    assert sum(outcome.saved_nano_usd) > 0
    assert [row["prompt_cache_saved_nano_usd"] for row in outcome.rows] == outcome.saved_nano_usd


def test_what_one_tenant_sends_teaches_nothing_of_another(tmp_path: Path) -> None:
    alone = run(made(tmp_path / "alone"), shared_system())
    both = run(made(tmp_path / "both"), shared_system(), tenants=("acme", "other"))
    assert both.bodies[0::2] == both.bodies[1::2] == alone.bodies


def made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def test_marks_that_lose_money_are_given_up(tmp_path: Path) -> None:
    """A provider that bills writes and never reads: the policy's purse is told, so no more is lost than it had.

    That is the premium of 16 mean requests, of five more that it was wrong about, and 0.4% of the bill.
    """
    outcome = run(tmp_path, shared_system(), forgets=True)
    marked = [number for number, body in enumerate(outcome.bodies) if marks(body)]
    tokens = [each.total for each in outcome.billed]
    most_nano_usd = 21 * max(tokens) * (NANO_PER_WRITE["5m"] - NANO_PER_INPUT) + 0.004 * sum(tokens) * NANO_PER_INPUT
    assert 0 < len(marked) < 28
    assert -most_nano_usd <= sum(outcome.saved_nano_usd) < 0
    assert credited(tmp_path)[0] == sum(outcome.saved_nano_usd)
