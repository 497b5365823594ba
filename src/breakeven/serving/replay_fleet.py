"""The event loop of a fleet: arrivals are spread over replicas, and replicas come and go by a policy.

Events are taken in order of time: a check of the policy, a replica that becomes ready, an arrival. Before each, the
replicas that it looks at are brought up to its time.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from breakeven.serving.compiled import compiled
from breakeven.serving.replay import advance, append, make_room, spread
from breakeven.serving.replay_state import (
    BINS,
    BY_KV,
    BY_QUEUE,
    CARRY,
    DRAINING,
    FIXED,
    LEAST_OUTSTANDING,
    NEVER,
    NONE,
    OFF,
    READY,
    STARTING,
    TICKS_PER_S,
    Ints,
    Slots,
    State,
)

HOUR: Final = 3_600 * TICKS_PER_S


class Columns(NamedTuple):
    """Requests in order of arrival: ticks and tokens, int64 columns of equal length."""

    arrival: Ints
    input: Ints
    output: Ints


class Fleet(NamedTuple):
    """The records of a replay: all replicas there may be, the requests in the system, kept latencies (2, n)."""

    replicas: Any
    slots: Slots
    kept: Ints


@compiled
def start(state: State, fleet: Fleet) -> None:
    """Make the first replicas ready at tick 0: a fleet that has been running."""
    for place in range(state.least):
        fleet.replicas[place].status = READY
    state.next_check = NEVER if state.policy == FIXED else 0
    state.next_ready = NEVER


@compiled
def receive(columns: Columns, begin: int, state: State, fleet: Fleet) -> int:
    """Let requests arrive from row ``begin`` on; gives the first row for which there was no free slot."""
    for row in range(begin, len(columns.arrival)):
        if state.free == NONE:
            return row
        tick = columns.arrival[row]
        pass_events(tick, state, fleet)
        slot = state.free
        request = fleet.slots[slot]
        state.free = request.next
        request.number = state.received
        request.arrival = tick
        request.input = columns.input[row]
        request.output = columns.output[row]
        request.written = 0
        state.received += 1
        state.in_system += 1
        state.waiting += 1
        state.kv_needed += request.input + request.output
        state.last_event = max(state.last_event, tick)
        dispatch(slot, tick, state, fleet)
        note_arrival(tick, state)
    return len(columns.arrival)


@compiled
def note_arrival(tick: int, state: State) -> None:
    """Count an arrival and the queue it finds in the timeline."""
    if tick >> state.bin_shift >= BINS:
        make_room(tick, state)
    place = tick >> state.bin_shift
    state.arrival_bins[place] += 1
    state.waiting_bins[place] = max(state.waiting_bins[place], state.waiting)
    state.most_waiting = max(state.most_waiting, state.waiting)


@compiled
def dispatch(slot: int, tick: int, state: State, fleet: Fleet) -> None:
    """Give a request to a ready replica, or keep it back until there is one."""
    place = chosen_place(tick, state, fleet)
    if place == NONE:
        append(slot, state.backlog, fleet.slots)
        if count_status(STARTING, fleet) == 0:
            start_replicas(1, tick, state, fleet)
        return
    replica = fleet.replicas[place]
    advance(replica, tick, state, fleet.slots, fleet.kept)
    replica.now = max(replica.now, tick)
    replica.outstanding += 1
    append(slot, replica.waiting, fleet.slots)


@compiled
def chosen_place(tick: int, state: State, fleet: Fleet) -> int:
    """The ready replica that is next in turn, or the one with the fewest requests; the first of equals."""
    many = len(fleet.replicas)
    best = NONE
    if state.dispatch == LEAST_OUTSTANDING:
        fewest = NEVER
        for place in range(many):
            replica = fleet.replicas[place]
            if replica.status == READY:
                advance(replica, tick, state, fleet.slots, fleet.kept)
                if replica.outstanding < fewest:
                    best, fewest = place, replica.outstanding
        return best
    for step in range(many):
        place = state.turn + step
        if place >= many:
            place -= many
        if fleet.replicas[place].status == READY:
            state.turn = place + 1 if place + 1 < many else 0
            return place
    return NONE


@compiled
def pass_events(until: int, state: State, fleet: Fleet) -> None:
    """Everything that happens up to ``until`` beside arrivals: replicas become ready, the policy is checked."""
    while True:
        tick = min(state.next_check, state.next_ready)
        if tick > until:
            return
        if state.next_ready <= tick:
            make_ready(tick, state, fleet)
        if state.next_check <= tick:
            check(tick, state, fleet)
            state.next_check += state.interval


@compiled
def make_ready(tick: int, state: State, fleet: Fleet) -> None:
    """Replicas whose cold start is over become ready, and take what was kept back."""
    state.next_ready = NEVER
    for place in range(len(fleet.replicas)):
        replica = fleet.replicas[place]
        if replica.status == STARTING:
            if replica.ready_at <= tick:
                replica.status = READY
                replica.now = tick
            else:
                state.next_ready = min(state.next_ready, replica.ready_at)
    slot = state.backlog.head
    state.backlog.head = NONE
    while slot != NONE:
        following = fleet.slots[slot].next
        dispatch(slot, tick, state, fleet)
        slot = following


@compiled
def check(tick: int, state: State, fleet: Fleet) -> None:
    """Look at the load and start or drain replicas; fewer only after ``cooldown`` in which no more were wanted."""
    for place in range(len(fleet.replicas)):
        replica = fleet.replicas[place]
        if replica.status >= READY:
            advance(replica, tick, state, fleet.slots, fleet.kept)
            if replica.status == DRAINING and replica.outstanding == 0:
                stop(place, tick, state, fleet)
    wanted = min(max(wanted_replicas(tick, state), state.least), len(fleet.replicas))
    held = count_status(STARTING, fleet) + count_status(READY, fleet)
    if wanted >= held:
        start_replicas(wanted - held, tick, state, fleet)
        state.enough_since = tick
        state.most_wanted = 0
        return
    state.most_wanted = max(state.most_wanted, wanted)
    if tick - state.enough_since >= state.cooldown:
        drain_replicas(held - state.most_wanted, tick, state, fleet)
        state.enough_since = tick
        state.most_wanted = 0


@compiled
def wanted_replicas(tick: int, state: State) -> int:
    """Replicas for the load as it is, before the limits."""
    if state.policy == BY_QUEUE:
        return ceiling(state.in_system / state.target)
    if state.policy == BY_KV:
        return ceiling(state.kv_needed / (state.target * state.kv_tokens))
    now = tick + state.clock_start
    later = now + state.cold_start
    wanted: int = max(state.hourly[(now // HOUR) % 24], state.hourly[(later // HOUR) % 24])
    return wanted


@compiled
def ceiling(ratio: float) -> int:
    """The least whole number that is not below ``ratio``."""
    whole = int(ratio)
    return whole if whole == ratio else whole + 1


@compiled
def count_status(status: int, fleet: Fleet) -> int:
    """Replicas in a state."""
    count = 0
    for place in range(len(fleet.replicas)):
        if fleet.replicas[place].status == status:
            count += 1
    return count


@compiled
def start_replicas(count: int, tick: int, state: State, fleet: Fleet) -> None:
    """Get ``count`` replicas more: draining ones back at once, then new ones after a cold start."""
    for place in range(len(fleet.replicas)):
        if count > 0 and fleet.replicas[place].status == DRAINING:
            fleet.replicas[place].status = READY
            count -= 1
    for place in range(len(fleet.replicas)):
        replica = fleet.replicas[place]
        if count > 0 and replica.status == OFF:
            replica.status = STARTING
            replica.ready_at = tick + state.cold_start
            replica.billed_from = tick + state.unbilled
            state.next_ready = min(state.next_ready, replica.ready_at)
            state.cold_starts += 1
            count -= 1


@compiled
def drain_replicas(count: int, tick: int, state: State, fleet: Fleet) -> None:
    """Let ``count`` ready replicas go, those with the fewest requests first; an idle one stops now."""
    for _ in range(count):
        best = NONE
        fewest = NEVER
        for place in range(len(fleet.replicas)):
            replica = fleet.replicas[place]
            if replica.status == READY and replica.outstanding < fewest:
                best, fewest = place, replica.outstanding
        if best == NONE:
            return
        fleet.replicas[best].status = DRAINING
        if fewest == 0:
            stop(best, tick, state, fleet)


@compiled
def stop(place: int, tick: int, state: State, fleet: Fleet) -> None:
    """Switch a replica off once its step is done, and count the time it was paid for."""
    replica = fleet.replicas[place]
    replica.status = OFF
    until = max(tick, replica.now)
    state.last_event = max(state.last_event, until)
    paid = max(until - replica.billed_from, 0)
    spread(state.billed_bins, replica.billed_from, paid, state)
    state.billed += paid
    while state.billed >= CARRY:
        state.billed -= CARRY
        state.billed_carries += 1


@compiled
def finish(state: State, fleet: Fleet) -> None:
    """Serve what is left, then stop every replica at the last event."""
    tick = min(state.next_check, state.next_ready)
    while state.in_system > 0 and tick < NEVER:
        pass_events(tick, state, fleet)
        tick = min(state.next_check, state.next_ready)
    for place in range(len(fleet.replicas)):
        if fleet.replicas[place].status >= READY:
            advance(fleet.replicas[place], NEVER, state, fleet.slots, fleet.kept)
    for place in range(len(fleet.replicas)):
        if fleet.replicas[place].status != OFF:
            stop(place, state.last_event, state, fleet)
