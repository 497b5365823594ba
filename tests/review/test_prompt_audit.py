"""The prompt audit finds what was planted, prices it as the catalogue does, and never claims more than was spent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from breakeven import api
from breakeven.catalog.usage import Usage
from breakeven.errors import InputError, TraceError, UnknownName
from breakeven.render.audit import render_audit
from breakeven.review.rule import with_cache_read, without_input
from review.logs import PRICED_ON, STABLE, STARTED_S, audited, chat, clean, finding, line, tool, written


def timed_prompt(count: int) -> list[dict[str, Any]]:
    """A time in the middle of a long system prompt."""
    return [
        line(number, chat(("system", f"{STABLE}It is 10:{number:04d}. {STABLE}"), ("user", f"question {number}")))
        for number in range(count)
    ]


def test_nothing_is_found_in_a_clean_log(tmp_path: Path) -> None:
    audit = audited(tmp_path, clean())
    assert audit.findings == ()
    assert audit.requests == 100
    assert audit.spent_nano_usd > 0


def test_a_time_in_the_system_prompt_is_found_with_its_place_and_its_price(tmp_path: Path) -> None:
    lines = timed_prompt(40)
    audit = audited(tmp_path, lines)
    found = finding(audit, "unstable-system-prompt")
    assert found is not None
    assert f"byte {len(STABLE) + len('It is 10:00'):,}" in found.evidence[0]
    assert "39 of 40 calls" in found.evidence[0]
    # By hand: all but the first call read both stable halves from the cache, at the card's price of a cache read.
    tokens = lines[0]["response"]["usage"]["prompt_tokens"]
    fresh = api.price("gpt-4o", Usage(input_tokens=tokens, output_tokens=60), at=PRICED_ON).nano_usd
    assert found.requests == 39
    assert found.now_nano_usd == pytest.approx(39 * fresh, rel=1e-3)
    read = api.price(
        "gpt-4o", Usage(input_tokens=tokens, output_tokens=60, cache_read_tokens=int(tokens * 0.99)), at=PRICED_ON
    ).nano_usd
    assert found.after_nano_usd == pytest.approx(39 * read, rel=0.01)


def test_two_variants_that_alternate_are_no_fault(tmp_path: Path) -> None:
    lines = [
        line(number, chat(("system", f"{'A' * (number % 2 + 1)} {STABLE}"), ("user", f"{number}")))
        for number in range(40)
    ]
    assert finding(audited(tmp_path, lines), "unstable-system-prompt") is None


def test_calls_hours_apart_would_not_have_been_cached(tmp_path: Path) -> None:
    lines = [{**each, "timestamp": STARTED_S + 3_600 * number} for number, each in enumerate(timed_prompt(40))]
    assert audited(tmp_path, lines).findings == ()


def test_a_repeated_prompt_is_claimed_only_where_it_was_not_read_from_the_cache(tmp_path: Path) -> None:
    def asked(cached: int) -> list[dict[str, Any]]:
        details = {"prompt_tokens_details": {"cached_tokens": cached}}
        return [line(n, chat(("system", STABLE), ("user", f"{n}")), **details) for n in range(30)]

    assert finding(audited(tmp_path, asked(0)), "repeated-prompts") is not None
    assert finding(audited(tmp_path, asked(2_070)), "repeated-prompts") is None


def test_tools_that_are_never_called_are_found_and_called_ones_are_not(tmp_path: Path) -> None:
    tools = [tool("search"), tool("refund")]
    lines = [line(n, chat(("user", f"{n}"), tools=tools), called="search" if n % 5 else "") for n in range(50)]
    found = finding(audited(tmp_path, lines), "unused-tools")
    assert found is not None
    assert [said.split()[0] for said in found.evidence] == ["refund"]


def test_without_answers_nothing_is_said_of_tools(tmp_path: Path) -> None:
    lines = [{"timestamp": STARTED_S + n, "body": chat(("user", f"{n}"), tools=[tool("refund")])} for n in range(50)]
    assert finding(audited(tmp_path, lines), "unused-tools") is None


def test_a_long_history_is_found_and_what_it_reads_from_the_cache_is_cheap(tmp_path: Path) -> None:
    def turns(cached: int) -> list[dict[str, Any]]:
        said = [("user" if turn % 2 else "assistant", f"turn {turn} {'word ' * 200}") for turn in range(60)]
        details = {"prompt_tokens_details": {"cached_tokens": cached}}
        return [line(n, chat(*said, ("user", f"{n}")), **details) for n in range(5)]

    dear, cheap = (finding(audited(tmp_path, turns(cached)), "long-history") for cached in (0, 14_000))
    assert dear is not None
    assert "61" in dear.evidence[0]
    assert cheap is None or cheap.saved_nano_usd < dear.saved_nano_usd


def test_repeats_are_claimed_only_where_they_would_be_answered_alike(tmp_path: Path) -> None:
    fixed = [line(n, chat(("user", "what is 2 + 2?"), temperature=0)) for n in range(5)]
    found = finding(audited(tmp_path, fixed), "duplicate-requests")
    assert found is not None
    assert (found.requests, found.after_nano_usd) == (4, 0)
    by_chance = [line(n, chat(("user", "what is 2 + 2?"))) for n in range(5)]
    told = finding(audited(tmp_path, by_chance), "duplicate-requests")
    assert told is not None
    assert told.saved_nano_usd == 0
    assert told.evidence[1].startswith("4 more repeats")


def test_a_repeat_after_the_hour_is_none(tmp_path: Path) -> None:
    lines = [{**line(n, chat(("user", "2 + 2?"), temperature=0)), "timestamp": STARTED_S + 3_600 * n} for n in range(5)]
    assert finding(audited(tmp_path, lines), "duplicate-requests") is None


def test_whitespace_in_the_results_of_tools_is_found(tmp_path: Path) -> None:
    rows = [{"order": number, "state": "sent"} for number in range(50)]

    def asked(indent: int | None) -> list[dict[str, Any]]:
        text = json.dumps(rows, indent=indent, separators=None if indent else (",", ":"))
        return [line(n, chat(("user", f"{n}"), ("tool", text))) for n in range(3)]

    found = finding(audited(tmp_path, asked(2)), "json-whitespace")
    assert found is not None
    assert 0 < found.saved_nano_usd < found.now_nano_usd
    assert finding(audited(tmp_path, asked(None)), "json-whitespace") is None


def test_a_limit_far_above_use_saves_nothing_and_says_so(tmp_path: Path) -> None:
    lines = [line(n, chat(("user", f"{n}"), max_tokens=4_096)) for n in range(30)]
    found = finding(audited(tmp_path, lines), "output-limit")
    assert found is not None
    assert found.saved_nano_usd == 0
    assert "256 would do" in found.evidence[0]


def test_anthropic_and_responses_logs_are_read_with_their_own_usage(tmp_path: Path) -> None:
    message = {
        "timestamp": STARTED_S,
        "request": {"model": "claude-sonnet-4-5", "max_tokens": 10, "messages": [{"role": "user", "content": "hi"}]},
        "response": {
            "type": "message",
            "content": [{"type": "text", "text": "ho"}],
            "usage": {"input_tokens": 7, "output_tokens": 3, "cache_read_input_tokens": 5},
        },
    }
    asked = {"model": "gpt-4o", "input": "hi"}
    counts = {"input_tokens": 8, "output_tokens": 4}
    response = {"timestamp": STARTED_S + 60, "body": asked, "url": "/v1/responses", "usage": counts}
    audit = audited(tmp_path, [message, response])
    by_hand = api.price("claude-sonnet-4-5", Usage(input_tokens=12, output_tokens=3, cache_read_tokens=5), at=PRICED_ON)
    other = api.price("gpt-4o", Usage(input_tokens=8, output_tokens=4), at=PRICED_ON)
    assert audit.spent_nano_usd == by_hand.nano_usd + other.nano_usd
    assert audit.estimated == 0


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "system": st.sampled_from(["", STABLE, f"x {STABLE}", f"{STABLE} y"]),
                "tools": st.lists(st.sampled_from(["search", "refund", "pay"]), unique=True),
                "turns": st.integers(1, 40),
                "cached": st.integers(0, 500),
                "minutes": st.integers(0, 9),
            }
        ),
        min_size=2,
        max_size=60,
    )
)
def test_findings_never_add_up_to_more_than_was_spent(tmp_path: Path, drawn: list[dict[str, Any]]) -> None:
    lines = []
    for number, each in enumerate(drawn):
        said = [("user", f"turn {turn} {'word ' * 20}") for turn in range(each["turns"])]
        body = chat(("system", each["system"]), *said, tools=[tool(name) for name in each["tools"]])
        details = {"prompt_tokens_details": {"cached_tokens": min(each["cached"], 40)}}
        lines.append({**line(number, body, **details), "timestamp": STARTED_S + number * each["minutes"] * 60 + number})
    audit = audited(tmp_path, lines)
    saved = [each.saved_nano_usd for each in audit.findings]
    assert all(amount >= 0 for amount in saved)
    assert sum(saved) <= audit.spent_nano_usd


@given(
    st.integers(0, 9_000), st.integers(0, 3_000), st.integers(0, 3_000), st.integers(0, 3_000), st.integers(0, 20_000)
)
def test_taking_input_away_leaves_a_usage_that_can_be(total: int, read: int, short: int, long: int, taken: int) -> None:
    usage = Usage(
        input_tokens=total + read + short + long,
        cache_read_tokens=read,
        cache_write_5m_tokens=short,
        cache_write_1h_tokens=long,
    )
    left = without_input(usage, taken)
    assert left.input_tokens == max(usage.input_tokens - taken, 0)
    assert 0 <= with_cache_read(usage, taken).cache_read_tokens - read != 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("not json\n", ":1: no JSON"),
        ("[1]\n", ":1: a request is a JSON object"),
        ('{"messages": []}\n', ":1:"),
        ("", "no requests"),
    ],
)
def test_what_is_no_log_is_refused_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text(text)
    with pytest.raises(InputError, match=said):
        api.audit(path)


def test_a_log_without_times_asks_how_many_days_it_covers(tmp_path: Path) -> None:
    path = written(tmp_path, [chat(("user", "hi"))])
    with pytest.raises(InputError, match="stretch of time"):
        api.audit(path)
    month = api.audit(path, days=365 / 12, at=PRICED_ON)
    assert month.stretch.usd_per_month(month.spent_nano_usd) * 10**9 == month.spent_nano_usd
    assert month.estimated == 1


def test_an_unknown_model_is_refused_and_another_may_be_named(tmp_path: Path) -> None:
    path = written(tmp_path, [{**chat(("user", "hi")), "model": "our-own"}])
    with pytest.raises(UnknownName):
        api.audit(path, days=1)
    assert api.audit(path, days=1, model="gpt-4o").spent_nano_usd > 0


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match=r"nowhere\.jsonl"):
        api.audit(tmp_path / "nowhere.jsonl")


@pytest.mark.parametrize("output_format", ["text", "json", "csv", "markdown", "html"])
def test_every_format_tells_the_findings(tmp_path: Path, output_format: str) -> None:
    assert "unstable-system-prompt" in render_audit(audited(tmp_path, timed_prompt(20)), output_format)
