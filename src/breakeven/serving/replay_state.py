"""What a replay remembers between two events: records of whole numbers, which compiled code reads in place.

Times are whole ticks, so that a sum is the same in any order: skipping over steps, taking them one by one, reading the
trace in one piece or in many gives the same result to the last bit. The classes say what a record holds; the records
themselves are rows of NumPy arrays, each class's ``dtype``.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, Final, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from breakeven.serving.compiled import is_compiled

Ints = NDArray[np.int64]

Slots = Any
"""An array of `Request` records."""

TICKS_PER_S: Final = 1 << 38
"""Ticks in a second: one tick is 3.6 picoseconds, and 388 days fit into 63 bits."""
MOST_SPAN_S: Final = float(1 << 24)
"""Longest trace that is replayed, 194 days: half of what ticks can tell, so that sums have room."""
NEVER: Final = 1 << 62
"""A tick that no event reaches, 194 days; what is not served by then is not served at all."""
CARRY: Final = 1 << 60
"""Sums over replicas or requests outgrow 63 bits: this much is carried over to a second number, one for each."""
NONE: Final = -1
"""No request, no replica."""

OFF, STARTING, READY, DRAINING, LEAVING = 0, 1, 2, 3, 4
"""States of a replica; a draining one finishes its requests and gets no more, nor does one that is about to be lost."""

ROUND_ROBIN, LEAST_OUTSTANDING = 0, 1
FIXED, BY_QUEUE, BY_KV, BY_SCHEDULE = 0, 1, 2, 3

BLOCK_TOKENS: Final = 16
"""Tokens of a block of the cache: vLLM's default."""
MOST_RUNNING: Final = 1_024
"""Sequences that a replica runs at once, at most."""
BUCKETS_PER_OCTAVE: Final = 256
"""Buckets between a latency and its double: a percentile is at most 0.2% off."""
BUCKETS: Final = 64 * BUCKETS_PER_OCTAVE
BINS: Final = 2_048
"""Bins of the timeline; when they are full, neighbours merge and a bin stands for twice the time."""
FIRST_BIN_SHIFT: Final = 41
"""The first bins have 2**41 ticks: 8 seconds."""


class Request(Protocol):
    """A request in the system, in a slot that is used again.

    ``written`` are the tokens of its answer that it had when it was preempted, which are prefilled behind its input
    when it is admitted again; ``left`` is what is not prefilled yet. ``admission`` counts its replica's admissions;
    ``next`` links the slots of one queue, and those that are free.
    """

    number: int
    arrival: int
    first_token: int
    input: int
    output: int
    written: int
    left: int
    admission: int
    next: int


class Queue(Protocol):
    """A queue of slots, linked from head to tail; `NONE` where empty."""

    head: int
    tail: int


class Replica(Protocol):
    """One replica.

    ``decode_steps`` counts the steps in which all decoding sequences advanced; the heap of ``ends`` has the counts at
    which they are done, ``ends_of`` their slots, ``crossing`` how many take a block before the step of that count
    modulo 16. ``context`` are the cached tokens that a decode step reads, ``held`` what is taken of the cache's room,
    ``billed_from`` the tick from which the replica is paid for.
    """

    now: int
    waiting: Queue
    prefilling: Queue
    decoding: int
    running: int
    outstanding: int
    admissions: int
    context: int
    held: int
    decode_steps: int
    status: int
    ready_at: int
    billed_from: int
    ends: Ints
    ends_of: Ints
    crossing: Ints


class State(Protocol):
    """Everything there is one of: the engine and the rules (which do not change), totals, histograms, the timeline."""

    # The engine: ticks of a step by the number of decoding sequences, of a cached token read, of a token prefilled.
    step: Ints
    context_token: int
    prefill_token: float
    attention_token2: float
    least_prefill: int
    overhead: int
    chunk_tokens: int
    kv_tokens: int
    max_running: int
    # Whether a sequence takes blocks as it grows, and the room of the cache: blocks, or tokens where none grows.
    grows: int
    room: int
    # The rules.
    skips: int
    dispatch: int
    policy: int
    least: int
    target: float
    interval: int
    cooldown: int
    cold_start: int
    unbilled: int
    clock_start: int
    hourly: Ints
    slo_ttft: int
    slo_tpot: float
    spill_above: int
    longest: int
    api_ttft: int
    api_tpot: float
    kept_replicas: int
    # Totals.
    received: int
    served: int
    spilled: int
    within_slo: int
    steps: int
    prefilled_tokens: int
    recomputed_tokens: int
    preemptions: int
    output_tokens: int
    busy: int
    busy_carries: int
    billed: int
    billed_carries: int
    queued: int
    queued_carries: int
    waiting: int
    most_waiting: int
    in_system: int
    kv_needed: int
    cold_starts: int
    interruptions: int
    interrupted_requests: int
    last_event: int
    # What the fleet remembers.
    free: int
    turn: int
    backlog: Queue
    lost: Queue
    loss_row: int
    next_loss: int
    next_check: int
    next_ready: int
    enough_since: int
    most_wanted: int
    # Histograms of latencies by bucket, and the timeline, whose bins have 2**bin_shift ticks.
    ttft: Ints
    tpot: Ints
    e2e: Ints
    bin_shift: int
    busy_bins: Ints
    billed_bins: Ints
    arrival_bins: Ints
    waiting_bins: Ints


class Columns(NamedTuple):
    """Requests in order of arrival: ticks and tokens, int64 columns of equal length.

    The replay writes 1 into ``spilled`` for each that it sends to the API.
    """

    arrival: Ints
    input: Ints
    output: Ints
    spilled: Ints


class Fleet(NamedTuple):
    """The records of a replay: all replicas there may be, the requests in the system, kept latencies (2, n).

    ``losses`` has ticks ascending, replicas, and 1 for a notice or 0 for a loss, shape (3, m).
    """

    replicas: Any
    slots: Slots
    kept: Ints
    losses: Ints


_LENGTHS: Final = {
    "ends": MOST_RUNNING,
    "ends_of": MOST_RUNNING,
    "crossing": BLOCK_TOKENS,
    "step": MOST_RUNNING + 1,
    "hourly": 24,
    "ttft": BUCKETS,
    "tpot": BUCKETS,
    "e2e": BUCKETS,
    "busy_bins": BINS,
    "billed_bins": BINS,
    "arrival_bins": BINS,
    "waiting_bins": BINS,
}
_KINDS: Final = {"int": np.int64, "float": np.float64, "Ints": np.int64}
_QUEUE: Final = np.dtype([("head", np.int64), ("tail", np.int64)])


def records(layout: type[Any], count: int) -> Any:
    """``count`` records as a class lays them out, all zero, their queues empty.

    Compiled code reads rows of an array; plain Python is ten times faster with objects and lists.
    """
    if not is_compiled():
        return [_plain_record(layout) for _ in range(count)]
    rows = np.zeros(count, dtype=_dtype(layout)).view(np.recarray)
    for name, kind in layout.__annotations__.items():
        if kind == "Queue":
            rows[name]["head"] = rows[name]["tail"] = NONE
    return rows


def free_requests(slots: int, taken: Any = None) -> Any:
    """``slots`` slots for requests, linked as free, behind the ``taken`` ones."""
    fresh = records(Request, slots)
    first = 0 if taken is None else len(taken)
    following = [*range(first + 1, first + slots), NONE]
    if is_compiled():
        fresh["next"] = following
        return fresh if taken is None else np.concatenate([taken, fresh]).view(np.recarray)
    for slot, next_slot in zip(fresh, following, strict=True):
        slot.next = next_slot
    return fresh if taken is None else taken + fresh


def kept_columns(requests: int) -> Ints:
    """Columns for TTFT and whole duration of single requests, in ticks."""
    return np.full((2, requests), NONE, dtype=np.int64)


def _plain_record(layout: type[Any]) -> SimpleNamespace:
    empty: dict[str, Any] = {"int": 0, "float": 0.0}
    values = {
        name: [0] * _LENGTHS[name]
        if name in _LENGTHS
        else SimpleNamespace(head=NONE, tail=NONE)
        if kind == "Queue"
        else empty[kind]
        for name, kind in layout.__annotations__.items()
    }
    return SimpleNamespace(**values)


def _dtype(layout: type[Any]) -> np.dtype[np.void]:
    fields: list[Any] = []
    for name, kind in layout.__annotations__.items():
        kept_as = _QUEUE if kind == "Queue" else np.dtype(_KINDS[kind])
        fields.append((name, kept_as, (_LENGTHS[name],)) if name in _LENGTHS else (name, kept_as))
    return np.dtype(fields, align=True)
