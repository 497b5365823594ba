"""The event loop of one replica: continuous batching, iteration by iteration, exact and without idle iterations.

A step gives every decoding sequence one token and prefills up to ``chunk_tokens`` of the prompts, first come first
served; a request is admitted in the step that has tokens left for it, if the cache has room (`replay_cache` says what
that is). While nothing is prefilled and nothing can be admitted, all steps up to the next end, arrival or preemption
are taken at once: their durations are an arithmetic series.
"""

from __future__ import annotations

import math

from breakeven.serving.compiled import compiled
from breakeven.serving.replay_cache import admission_room, preempt, residue, steps_with_room
from breakeven.serving.replay_ends import push_end, remove_end
from breakeven.serving.replay_state import BINS, BUCKETS_PER_OCTAVE, CARRY, NONE, Ints, Queue, Replica, Slots, State


@compiled
def advance(replica: Replica, until: int, state: State, slots: Slots, kept: Ints) -> None:
    """Take steps until the replica's clock reaches ``until`` or it has nothing to do.

    A step that has begun is finished, so the clock may pass ``until``; what arrives meanwhile waits for the next step.
    """
    while replica.now < until:
        if can_prefill(replica, state, slots):
            prefill_step(replica, state, slots, kept)
        elif replica.decoding > 0:
            decode_steps(replica, until, state, slots, kept)
        else:
            return


@compiled
def can_prefill(replica: Replica, state: State, slots: Slots) -> bool:
    """Whether there is a prompt to prefill and room for the step; who decodes takes its blocks before who comes."""
    if replica.prefilling.head == NONE:
        return next_fits(replica, state, slots)
    return steps_with_room(1, 0, replica, state) > 0


@compiled
def next_fits(replica: Replica, state: State, slots: Slots) -> bool:
    """Whether there is a request in the queue and room for the first one."""
    slot = replica.waiting.head
    if slot == NONE or replica.running == state.max_running:
        return False
    request = slots[slot]
    return steps_with_room(1, admission_room(request, state), replica, state) > 0


@compiled
def admit(replica: Replica, state: State, slots: Slots) -> int:
    """Move the first request of the queue to the batch: its first tokens are prefilled in this step."""
    slot = replica.waiting.head
    request = slots[slot]
    replica.waiting.head = request.next
    request.left = request.input + request.written
    replica.held += admission_room(request, state)
    replica.running += 1
    replica.admissions += 1
    request.admission = replica.admissions
    note_begun(replica.now - request.arrival, state)
    append(slot, replica.prefilling, slots)
    return int(slot)


@compiled
def append(slot: int, queue: Queue, slots: Slots) -> None:
    """Put a slot at the end of a queue."""
    slots[slot].next = NONE
    if queue.head == NONE:
        queue.head = slot
    else:
        slots[queue.tail].next = slot
    queue.tail = slot


@compiled
def prefill_step(replica: Replica, state: State, slots: Slots, kept: Ints) -> None:
    """One step with prefill: a chunk of prompts, and a token for every decoding sequence."""
    decoding = replica.decoding
    budget = max(state.chunk_tokens - decoding, 1)
    work = 0.0
    whole = 0
    slot = replica.prefilling.head
    while budget > 0:
        if slot == NONE:
            if not next_fits(replica, state, slots):
                break
            slot = admit(replica, state, slots)
        request = slots[slot]
        taken = min(request.left, budget)
        done = request.input + request.written - request.left
        work += state.prefill_token * taken + state.attention_token2 * taken * (2.0 * done + taken)
        state.prefilled_tokens += taken
        request.left -= taken
        budget -= taken
        if request.left == 0:
            whole += 1
            slot = NONE
    duration = int(work + 0.5)
    if decoding == 0:
        duration = max(duration, state.least_prefill) + state.step[0]
    else:
        duration += state.step[decoding] + state.context_token * replica.context
    pass_steps(replica, 1, duration, state, slots, kept)
    for _ in range(whole):
        start_decoding(replica, state, slots, kept)


@compiled
def note_begun(waited: int, state: State) -> None:
    """Count how long a request waited since it arrived, and that it waits no more."""
    state.waiting -= 1
    state.queued += waited
    while state.queued >= CARRY:
        state.queued -= CARRY
        state.queued_carries += 1


@compiled
def decode_steps(replica: Replica, until: int, state: State, slots: Slots, kept: Ints) -> None:
    """The steps up to the next end of a sequence, the last with room, or the first that reaches ``until``, at once.

    Where there is no room for a single one, the request admitted last has to go instead.
    """
    count = steps_with_room(replica.ends[0] - replica.decode_steps if state.skips else 1, 0, replica, state)
    if count == 0:
        preempt(replica, state, slots)
        state.preemptions += 1
        return
    first = state.step[replica.decoding] + state.context_token * replica.context
    growth = state.context_token * replica.decoding
    span = until - replica.now
    if count > 1 and series(count - 1, first, growth) >= span:
        count = steps_to(span, first, growth)
    pass_steps(replica, count, series(count, first, growth), state, slots, kept)


@compiled
def series(count: int, first: int, growth: int) -> int:
    """Ticks of ``count`` steps, the first of ``first`` ticks and each longer than the one before by ``growth``."""
    return count * first + growth * (count * (count - 1) // 2)


@compiled
def steps_to(span: int, first: int, growth: int) -> int:
    """The fewest steps that take ``span`` ticks or more: solved as a real number, then set right as a whole one."""
    linear = first - 0.5 * growth
    root = span / first if growth == 0 else (math.sqrt(linear * linear + 2.0 * growth * span) - linear) / growth
    count = max(int(root), 1)
    while series(count, first, growth) < span:
        count += 1
    while count > 1 and series(count - 1, first, growth) >= span:
        count -= 1
    return count


@compiled
def pass_steps(replica: Replica, count: int, duration: int, state: State, slots: Slots, kept: Ints) -> None:
    """Let ``count`` steps pass: every decoding sequence gets as many tokens, and those that are done leave."""
    spread(state.busy_bins, replica.now, duration, state)
    replica.now += duration
    replica.decode_steps += count
    replica.context += replica.decoding * count
    state.busy += duration
    while state.busy >= CARRY:
        state.busy -= CARRY
        state.busy_carries += 1
    state.steps += count
    state.output_tokens += replica.decoding * count
    while replica.decoding > 0 and replica.ends[0] == replica.decode_steps:
        slot = remove_end(0, replica)
        request = slots[slot]
        replica.context -= request.input + request.output
        replica.crossing[residue(replica.decode_steps, request)] -= 1
        complete(slot, replica, state, slots, kept)


@compiled
def start_decoding(replica: Replica, state: State, slots: Slots, kept: Ints) -> None:
    """The first of the prefilled requests has its next token; it decodes on, or is done."""
    slot = replica.prefilling.head
    request = slots[slot]
    replica.prefilling.head = request.next
    if request.written == 0:
        request.first_token = replica.now
    state.output_tokens += 1
    if state.grows:
        replica.held -= admission_room(request, state)
    left = request.output - request.written - 1
    if left == 0:
        complete(slot, replica, state, slots, kept)
        return
    end = replica.decode_steps + left
    push_end(end, slot, replica)
    replica.crossing[residue(end, request)] += 1
    replica.context += request.input + request.written + 1


@compiled
def complete(slot: int, replica: Replica, state: State, slots: Slots, kept: Ints) -> None:
    """Count a request that is done, and free what it held."""
    request = slots[slot]
    ttft = request.first_token - request.arrival + state.overhead
    e2e = replica.now - request.arrival + state.overhead
    tpot = 0.0
    if request.output > 1:
        tpot = (replica.now - request.first_token) / (request.output - 1)
        state.tpot[bucket(tpot)] += 1
    state.ttft[bucket(float(ttft))] += 1
    state.e2e[bucket(float(e2e))] += 1
    if request.number < kept.shape[1]:
        kept[0, request.number] = ttft
        kept[1, request.number] = e2e
    if ttft <= state.slo_ttft and tpot <= state.slo_tpot:
        state.within_slo += 1
    needed = request.input + request.output
    if not state.grows:
        replica.held -= needed
    replica.running -= 1
    replica.outstanding -= 1
    state.kv_needed -= needed
    state.in_system -= 1
    state.served += 1
    state.last_event = max(state.last_event, replica.now)
    request.next = state.free
    state.free = slot


@compiled
def bucket(ticks: float) -> int:
    """The histogram bucket of a latency: octaves, each in equal parts."""
    if ticks < 1.0:
        return 0
    mantissa, exponent = math.frexp(ticks)
    return (exponent - 1) * BUCKETS_PER_OCTAVE + int((mantissa - 0.5) * 2 * BUCKETS_PER_OCTAVE)


@compiled
def spread(bins: Ints, start: int, duration: int, state: State) -> None:
    """Add a stretch of time to the bins of a timeline that it crosses."""
    end = start + duration
    if end >> state.bin_shift >= BINS:
        make_room(end, state)
    place = start >> state.bin_shift
    stop = (place + 1) << state.bin_shift
    while stop < end:
        bins[place] += stop - start
        start = stop
        place += 1
        stop = (place + 1) << state.bin_shift
    bins[place] += end - start


@compiled
def make_room(tick: int, state: State) -> None:
    """Merge neighbouring bins until the timeline reaches ``tick``."""
    while tick >> state.bin_shift >= BINS:
        for place in range(BINS):
            low, high = 2 * place, 2 * place + 1
            inside = high < BINS
            state.busy_bins[place] = state.busy_bins[low] + state.busy_bins[high] if inside else 0
            state.billed_bins[place] = state.billed_bins[low] + state.billed_bins[high] if inside else 0
            state.arrival_bins[place] = state.arrival_bins[low] + state.arrival_bins[high] if inside else 0
            state.waiting_bins[place] = max(state.waiting_bins[low], state.waiting_bins[high]) if inside else 0
        state.bin_shift += 1
