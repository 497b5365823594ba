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
    owners = np.repeat(np.arange(trace.rows, dtype=np.int32), counts)
    again, gaps_s = _sent_again(blocks.ids, owners, trace.arrivals_s)
    input_tokens = max(1, int(trace.input_tokens.sum()))
    found = []
    for ttl_s in ttls_s:
        stale = np.ones(len(owners), dtype=bool)
        stale[again[gaps_s <= ttl_s]] = False
        first_stale = np.flatnonzero(stale)
        leading = counts.copy()
        np.minimum.at(leading, owners[first_stale], first_stale - blocks.offsets[owners[first_stale]])
        reused = np.minimum(leading * blocks.block_tokens, trace.input_tokens)
        found.append(int(reused[reused >= min_tokens].sum()) / input_tokens)
    return tuple(found)


def _sent_again(
    ids: NDArray[np.int64], owners: NDArray[np.int32], arrivals_s: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Places of blocks that an earlier request sent, too, and the seconds since it did; both of shape (repeats,).

    A long trace has tens of millions of blocks, so what is no longer needed is dropped at once.
    """
    order = np.argsort(ids, kind="stable")
    in_order = ids[order]
    is_same = in_order[1:] == in_order[:-1]
    del in_order
    later, earlier = order[1:][is_same], order[:-1][is_same]
    del order
    is_other = owners[later] != owners[earlier]
    later, earlier = later[is_other], earlier[is_other]
    return later, arrivals_s[owners[later]] - arrivals_s[owners[earlier]]


def _groups(contents: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """The rows of each content that occurs more than once, in order."""
    order = np.argsort(contents, kind="stable")
    ordered = contents[order]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    ends = np.append(starts[1:], len(ordered))
    several = (ends - starts > 1) & (ordered[starts] != NO_CONTENT)
    return [order[start:end] for start, end in zip(starts[several].tolist(), ends[several].tolist(), strict=True)]
