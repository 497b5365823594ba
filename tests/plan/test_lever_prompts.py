"""The prompt cache of a replay: the gateway's policy, billed by the catalogue's prices of reading and writing."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from breakeven import api
from breakeven.catalog.hosted import find_card
from breakeven.catalog.pricing import price
from breakeven.catalog.usage import Usage
from breakeven.plan.lever_prompts import prefix_requests
from breakeven.plan.lever_report import LeverResult
from breakeven.plan.prompt_cache_replay import replay_prompt_cache
from breakeven.policy.prompt_cache import PromptCacheRule
from breakeven.policy.prompt_cache_policy import PromptCachePolicy
from breakeven.workload.prefix_blocks import PrefixBlocks
from breakeven.workload.trace import Trace
from breakeven.workload.trace_reading import read_trace
from conftest import REPOSITORY

AT = date(2026, 11, 24)
MODEL = "anthropic/claude-sonnet-5"


@pytest.fixture(scope="module")
def trace() -> Trace:
    return read_trace(REPOSITORY / "examples/support.jsonl", keep_blocks=True)


def lever(trace: Trace, model: str = MODEL, ttl_s: float | None = None) -> LeverResult:
    (found,) = api.replay(trace, lever="prompt-cache", model=model, ttl_s=ttl_s, at=AT).levers
    return found


def rule(write_multiplier: float, ttl_s: float) -> PromptCacheRule:
    return PromptCacheRule(
        write_multiplier=write_multiplier, read_multiplier=0.1, ttl_s=ttl_s, min_tokens=1_024, lookback=None
    )


@pytest.mark.parametrize(("ttl_s", "write_multiplier"), [(300.0, 1.25), (3_600.0, 2.0)])
def test_each_request_is_billed_at_the_price_of_what_the_policy_had_it_read_and_write(
    trace: Trace, ttl_s: float, write_multiplier: float
) -> None:
    assert trace.blocks is not None
    of_provider = rule(write_multiplier, ttl_s)
    policy = PromptCachePolicy(of_provider)
    marked = [
        policy.decide(each.prefixes, each.input_tokens, each.at_s) for each in prefix_requests(trace, trace.blocks)
    ]
    replay = replay_prompt_cache(prefix_requests(trace, trace.blocks), of_provider)
    card = find_card(MODEL, at=AT)
    written = "cache_write_5m_tokens" if ttl_s == 300 else "cache_write_1h_tokens"
    billed = sum(
        price(
            card,
            Usage(
                input_tokens=int(trace.input_tokens[row]),
                output_tokens=int(trace.output_tokens[row]),
                cache_read_tokens=marks.read_tokens,
                **{written: marks.written_tokens},
            ),
        ).nano_usd
        for row, marks in enumerate(marked)
    )
    found = lever(trace, ttl_s=ttl_s)
    assert found.saving is not None
    assert found.saving.with_nano_usd == billed
    assert found.saving.input_bill_ratio == pytest.approx(replay.input_bill_ratio, abs=1e-9)
    told = dict(found.compared)
    assert told == pytest.approx({name: replay.fixed_ratios[name] for name in told}, abs=1e-9)
    assert found.hits == sum(marks.read_tokens > 0 for marks in marked)


def test_what_blocks_are_called_makes_no_difference(trace: Trace) -> None:
    blocks = trace.blocks
    assert blocks is not None
    renamed = PrefixBlocks(block_tokens=512, ids=blocks.ids * -31 - 5, offsets=blocks.offsets)
    assert lever(replace(trace, blocks=renamed)) == lever(trace)


def test_equal_blocks_after_different_beginnings_are_different_prefixes() -> None:
    blocks = PrefixBlocks(block_tokens=512, ids=np.array([1, 2, 3, 2]), offsets=np.array([0, 2, 4]))
    trace = Trace(
        name="t",
        format_name="f",
        arrivals_s=np.array([0.0, 1.0]),
        input_tokens=np.array([1_000, 1_024]),
        output_tokens=np.array([1, 1]),
        blocks=blocks,
    )
    first, second = prefix_requests(trace, blocks)
    assert [prefix.tokens for prefix in first.prefixes] == [512, 1_000]
    assert not {prefix.digest for prefix in first.prefixes} & {prefix.digest for prefix in second.prefixes}


def test_a_provider_that_caches_by_itself_charges_nothing_to_write(trace: Trace) -> None:
    found = lever(trace, model="openai/gpt-4o")
    assert "by itself" in found.rule
    assert found.saving is not None
    assert found.saving.saved_nano_usd > 0


@pytest.mark.parametrize(
    ("model", "ttl_s", "why"),
    [(MODEL, 600.0, "300 s or 3,600 s"), ("google/gemini-3.8-flash", None, "does not say how")],
)
def test_what_cannot_be_told_is_unknown(trace: Trace, model: str, ttl_s: float | None, why: str) -> None:
    found = api.replay(trace, model=model, ttl_s=ttl_s, at=AT).levers[2]
    assert found.saving is None
    assert why in found.unknown


def test_a_real_trace_is_no_worse_than_the_best_rule_that_does_not_learn(shared_data: Path) -> None:
    """Anthropic's multipliers on Mooncake's conversations; the fixed rules' ratios as research found them by hand."""
    trace = read_trace(shared_data / "traces/mooncake_conversation.jsonl", keep_blocks=True)
    short, long = (lever(trace, ttl_s=ttl_s) for ttl_s in (300.0, 3_600.0))
    for found, most, fixed in (
        (short, 0.918, {"all": 0.945, "seen-before": 0.918}),
        (long, 0.995, {"all": 1.331, "seen-before": 0.999}),
    ):
        assert found.saving is not None
        assert found.saving.input_bill_ratio is not None
        assert found.saving.input_bill_ratio <= most
        told = dict(found.compared)
        assert {name: told[name] for name in fixed} == pytest.approx(fixed, abs=0.01)
