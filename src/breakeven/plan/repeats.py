"""Which requests of a trace would not have been bought: their answer is remembered, or being bought already."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from breakeven.workload.prefix_blocks import PrefixBlocks
from breakeven.workload.request_identity import NO_CONTENT
from breakeven.workload.trace import Trace

FOR_EVER_S: Final = float("inf")
"""A time to live without end."""

ASSUMED_TTFT_S: Final = 0.5
ASSUMED_OUTPUT_TOKENS_PER_S: Final = 50.0
"""How long an answer takes where the trace does not say: a round figure of hosted APIs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeats:
    """What became of each request, two masks of shape (n,): answered from memory, or by another one under way."""

    remembered: NDArray[np.bool_]
    joined: NDArray[np.bool_]

    @property
    def hits(self) -> NDArray[np.bool_]:
        """Requests that were not bought."""
        return self.remembered | self.joined


def durations_s(trace: Trace) -> NDArray[np.float64]:
    """How long each answer took, seconds, shape (n,): the trace's, else assumed from the tokens of its output."""
    assumed = ASSUMED_TTFT_S + trace.output_tokens / ASSUMED_OUTPUT_TOKENS_PER_S
    return assumed if trace.durations_s is None else np.where(np.isnan(trace.durations_s), assumed, trace.durations_s)


def duplicates(contents: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Requests that repeat an earlier one, however long ago; shape (n,)."""
    seen = np.zeros(len(contents), dtype=bool)
    for rows in _groups(contents):
        seen[rows[1:]] = True
    return seen


def replay_repeats(
    contents: NDArray[np.int64], arrivals_s: NDArray[np.float64], took_s: NDArray[np.float64], ttl_s: float
) -> Repeats:
    """What single flight and a cache with this time to live make of the requests; a ``ttl_s`` of 0 keeps nothing.

    A repeat that arrives while the answer is being bought gets it when it is there. From then on the answer is served
    for ``ttl_s``, which no hit prolongs. Columns have shape (n,), in order of arrival; the masks have, too.
    """
    remembered, joined = np.zeros(len(contents), dtype=bool), np.zeros(len(contents), dtype=bool)
    for rows in _groups(contents):
        answered_s = expires_s = -FOR_EVER_S
        times = zip(rows.tolist(), arrivals_s[rows].tolist(), took_s[rows].tolist(), strict=True)
        for row, now_s, takes_s in times:
            if now_s < answered_s:
                joined[row] = True
            elif now_s < expires_s:
                remembered[row] = True
            else:
                answered_s = now_s + takes_s
                expires_s = answered_s + ttl_s
    return Repeats(remembered=remembered, joined=joined)


def repeated_prefix_fracs(
    trace: Trace, blocks: PrefixBlocks, ttls_s: Sequence[float], min_tokens: int = 0
) -> tuple[float, ...]:
    """For each life, the share of all input tokens in leading blocks that another request sent so shortly before.

    Each sending prolongs a block's life, as at providers. A prefix of fewer than ``min_tokens`` counts for nothing.
    """
    counts = np.diff(blocks.offsets)
    owners = np.repeat(np.arange(trace.rows), counts)
    ages_s = _ages_s(blocks.ids, trace.arrivals_s[owners], owners)
    input_tokens = max(1, int(trace.input_tokens.sum()))
    found = []
    for ttl_s in ttls_s:
        stale = np.flatnonzero(~(ages_s <= ttl_s))
        leading = counts.copy()
        np.minimum.at(leading, owners[stale], stale - blocks.offsets[owners[stale]])
        reused = np.minimum(leading * blocks.block_tokens, trace.input_tokens)
        found.append(int(reused[reused >= min_tokens].sum()) / input_tokens)
    return tuple(found)


def _ages_s(ids: NDArray[np.int64], sent_s: NDArray[np.float64], owners: NDArray[np.int64]) -> NDArray[np.float64]:
    """Seconds since another request sent the same block; NaN for the first, or twice in one request."""
    order = np.argsort(ids, kind="stable")
    ids, sent_s, owners = ids[order], sent_s[order], owners[order]
    is_again = (ids[1:] == ids[:-1]) & (owners[1:] != owners[:-1])
    ages_s = np.full(len(ids), np.nan)
    ages_s[order[1:][is_again]] = (sent_s[1:] - sent_s[:-1])[is_again]
    return ages_s


def _groups(contents: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """The rows of each content that occurs more than once, in order."""
    order = np.argsort(contents, kind="stable")
    ordered = contents[order]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    ends = np.append(starts[1:], len(ordered))
    several = (ends - starts > 1) & (ordered[starts] != NO_CONTENT)
    return [order[start:end] for start, end in zip(starts[several].tolist(), ends[several].tolist(), strict=True)]
