"""A trace replayed through each lever before it is switched on: what would not have been bought, or bought cheaper."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from breakeven.catalog.evidence import Assumption
from breakeven.catalog.price_card import PriceCard
from breakeven.errors import TraceError
from breakeven.options.replayed_bills import CONFIDENCE, DRAWS, STRETCHES, Bills, plain_bills, saving
from breakeven.plan.lever_prompts import prefix_min_tokens, prompt_cache_result
from breakeven.plan.lever_report import LEVERS, LeverName, LeverReport, LeverResult, Lives, PrefixShare, Repetition
from breakeven.plan.repeats import (
    ASSUMED_OUTPUT_TOKENS_PER_S,
    ASSUMED_TTFT_S,
    FOR_EVER_S,
    Repeats,
    duplicates,
    durations_s,
    repeated_prefix_fracs,
    replay_repeats,
)
from breakeven.policy.cacheability import CacheRule
from breakeven.units import HOURS_PER_MONTH, SECONDS_PER_HOUR
from breakeven.workload.request_identity import NO_CONTENT
from breakeven.workload.trace import Trace

PREFIX_TTLS_S: Final = (300.0, 3_600.0, FOR_EVER_S)
"""Lives for which the share of repeated prefixes is told: what providers sell, and the most there could be."""

USUAL_MIN_TOKENS: Final = 1_024
"""The shortest prefix that most providers cache, for models of which the catalogue does not say."""

_NO_HASH: Final = "the trace has neither hash_ids nor request_hash: how much of it repeats is unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class LeverQuestion:
    """A trace, the price that it is billed at, and how the levers are set; ``asked`` is one of them, None for all.

    ``is_block_markable`` is as in `prompt_cache_result`.
    """

    trace: Trace
    card: PriceCard
    lives: Lives
    is_block_markable: bool = False
    asked: LeverName | None = None
    assumptions: tuple[Assumption, ...] = ()

    @property
    def ttl_s(self) -> float:
        """How long an answer is kept, seconds."""
        return CacheRule().ttl_s if self.lives.answer_s is None else self.lives.answer_s

    @property
    def levers(self) -> tuple[LeverName, ...]:
        """The levers to replay."""
        return LEVERS if self.asked is None else (self.asked,)


def replay_levers(question: LeverQuestion) -> LeverReport:
    """Replay a trace through the levers that were asked for.

    Raises:
        TraceError: the trace does not tell which requests repeat, or which prefixes.
        Unpriced: the price does not cover a request.
    """
    trace = question.trace
    if trace.contents is None and trace.blocks is None:
        raise TraceError(
            f"{trace.name}: duplicates unknown",
            cause=_NO_HASH,
            hint="add a column request_hash with a digest of each request's body, or name it: "
            "--columns request_hash=COLUMN",
        )
    without = plain_bills(question.card, trace.input_tokens, trace.output_tokens)
    repeats = _Repeats(question, without)
    results = tuple(
        prompt_cache_result(
            trace, question.card, question.lives.prefix_s, without, is_block_markable=question.is_block_markable
        )
        if name == "prompt-cache"
        else repeats.result(name)
        for name in question.levers
    )
    if question.asked is not None and results[0].unknown:
        raise TraceError(f"{trace.name}: what the {question.asked} saves is unknown", cause=results[0].unknown)
    min_tokens = prefix_min_tokens(question.card) or USUAL_MIN_TOKENS
    return LeverReport(
        trace_name=trace.name,
        requests=trace.rows,
        span_s=trace.span_s,
        input_tokens=int(trace.input_tokens.sum()),
        output_tokens=int(trace.output_tokens.sum()),
        card=question.card,
        asked=question.asked,
        levers=results,
        repetition=repeats.repetition(),
        prefixes=_prefixes(trace, min_tokens),
        prefix_min_tokens=min_tokens,
        assumptions=(*question.assumptions, *_assumptions(question)),
        notes=trace.notes,
    )


class _Repeats:
    """The trace with a cache of answers and with single flight alone, replayed once."""

    def __init__(self, question: LeverQuestion, without: Bills) -> None:
        self._question, self._trace, self._without = question, question.trace, without
        self._took_s = durations_s(self._trace)
        self._flown = self._replayed(0.0)
        self._kept = self._replayed(question.ttl_s)

    def _replayed(self, ttl_s: float) -> Repeats | None:
        trace = self._trace
        if trace.contents is None:
            return None
        return replay_repeats(trace.contents, trace.arrivals_s, self._took_s, ttl_s)

    def result(self, name: LeverName) -> LeverResult:
        found, rule = self._flown, "repeats in flight share one call; no answer is kept"
        if name == "response-cache":
            found, rule = self._kept, f"answers kept {self._question.ttl_s:,.0f} s; repeats in flight share one call"
        if found is None:
            return LeverResult(name=name, rule=rule, unknown=_NO_HASH)
        with_lever = self._without.where(~found.hits)
        return LeverResult(
            name=name,
            rule=rule,
            ttl_s=self._question.ttl_s if name == "response-cache" else None,
            hits=int(found.hits.sum()),
            saving=saving(self._without, with_lever, self._trace.arrivals_s, self._trace.span_s),
        )

    def repetition(self) -> Repetition | None:
        trace, kept, flown = self._trace, self._kept, self._flown
        if trace.contents is None or kept is None or flown is None:
            return None
        again = duplicates(trace.contents)
        billed = int(self._without.nano_usd.sum())
        return Repetition(
            requests_frac=float(again.mean()),
            input_tokens_frac=_share(trace.input_tokens, again),
            usd_frac=_share(self._without.nano_usd, again) if billed else None,
            ttl_s=self._question.ttl_s,
            within_ttl_frac=float(kept.hits.mean()),
            single_flight_frac=float(flown.hits.mean()),
            unknown_requests=int((trace.contents == NO_CONTENT).sum()),
        )


def _share(amounts: NDArray[np.int64], marked: NDArray[np.bool_]) -> float:
    return float(amounts[marked].sum()) / max(1, int(amounts.sum()))


def _prefixes(trace: Trace, min_tokens: int) -> tuple[PrefixShare, ...] | None:
    blocks = trace.blocks
    if blocks is None:
        return None
    shares = repeated_prefix_fracs(trace, blocks, PREFIX_TTLS_S, min_tokens)
    return tuple(
        PrefixShare(ttl_s=ttl_s, input_tokens_frac=share) for ttl_s, share in zip(PREFIX_TTLS_S, shares, strict=True)
    )


def _assumptions(question: LeverQuestion) -> Iterator[Assumption]:
    trace = question.trace
    yield Assumption(
        name="cacheable_requests",
        value="all",
        unit="requests",
        basis="assumed",
        source="a trace does not tell temperature, tools or seed; what the route does not cache saves nothing",
    )
    yield Assumption(
        name="cache_at_start",
        value="empty",
        unit="",
        basis="assumed",
        source="what was asked before the trace began is not known, so a short trace understates every lever",
    )
    yield _duration(trace)
    if trace.span_s > 0:
        yield Assumption(
            name="traces_per_month",
            value=round(HOURS_PER_MONTH * SECONDS_PER_HOUR / trace.span_s, 3),
            unit="of the trace's length",
            basis="assumed",
            source="the trace's mean rate and repetition are held to be those of every hour of a month of 730 hours",
        )
    yield Assumption(
        name="interval",
        value=CONFIDENCE,
        unit="of draws",
        basis="modelled",
        source=f"{DRAWS:,} draws, with a fixed seed, of {STRETCHES} equal stretches of the trace's time",
    )


def _duration(trace: Trace) -> Assumption:
    name, unit = "answer_duration", "s"
    took = durations_s(trace)
    if trace.durations_s is None or bool(np.isnan(trace.durations_s).all()):
        rule = f"{ASSUMED_TTFT_S:g} s and {ASSUMED_OUTPUT_TOKENS_PER_S:g} output tokens a second: the trace has none"
        return Assumption(name=name, value=round(float(took.mean()), 3), unit=unit, basis="assumed", source=rule)
    source = "mean of the trace's own durations, where a row has one"
    return Assumption(name=name, value=round(float(took.mean()), 3), unit=unit, basis="measured", source=source)
