"""The event loop of a fleet: arrivals are spread over replicas, and replicas come and go by a policy.

Events are taken in order of time: a check of the policy, a replica that becomes ready, an arrival. Before each, the
replicas that it looks at are brought up to its time.
"""

from __future__ import annotations

from breakeven.serving.compiled import compiled
from breakeven.serving.replay import advance, append, bucket, make_room
from breakeven.serving.replay_cache import prepend
from breakeven.serving.replay_losses import next_loss, take_losses
from breakeven.serving.replay_scaling import check, count_status, start_replicas, stop
from breakeven.serving.replay_state import (
    BINS,
    FIXED,
    LEAST_OUTSTANDING,
    NEVER,
    NONE,
    OFF,
    READY,
    STARTING,
    Columns,
    Fleet,
    State,
)

__all__ = ["Columns", "Fleet", "finish", "receive", "start"]


@compiled
def start(state: State, fleet: Fleet) -> None:
    """Make the first replicas ready at tick 0: a fleet that has been running."""
    for place in range(state.least):
        fleet.replicas[place].status = READY
    state.next_check = NEVER if state.policy == FIXED else 0
    state.next_ready = NEVER
    state.next_loss = next_loss(state, fleet)


@compiled
def receive(columns: Columns, begin: int, state: State, fleet: Fleet) -> int:
    """Let requests arrive from row ``begin`` on; gives the first row for which there was no free slot."""
    for row in range(begin, len(columns.arrival)):
        if state.free == NONE:
            return row
        tick = columns.arrival[row]
        pass_events(tick, state, fleet)
        place = chosen_place(tick, state, fleet)
        if is_spilled(place, row, columns, state, fleet):
            spill(place, row, columns, state, fleet)
            note_arrival(tick, state)
            continue
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
        give(slot, place, tick, state, fleet)
        note_arrival(tick, state)
    return len(columns.arrival)


@compiled
def is_spilled(place: int, row: int, columns: Columns, state: State, fleet: Fleet) -> bool:
    """Whether a request goes to the API: no replica is ready, or none could hold it, or the next one has too much."""
    if state.spill_above == NEVER:
        return False
    if place == NONE or columns.input[row] + columns.output[row] > state.longest:
        return True
    replica = fleet.replicas[place]
    advance(replica, columns.arrival[row], state, fleet.slots, fleet.kept)
    return bool(replica.outstanding > state.spill_above)


@compiled
def spill(place: int, row: int, columns: Columns, state: State, fleet: Fleet) -> None:
    """Send a request to the API. One that found no replica ready still calls for one, as if it had waited."""
    columns.spilled[row] = 1
    tick, output = columns.arrival[row], columns.output[row]
    number = state.received
    state.received += 1
    state.spilled += 1
    state.last_event = max(state.last_event, tick)
    if place == NONE and count_status(STARTING, fleet) == 0:
        start_replicas(1, tick, state, fleet)
    if state.api_ttft == NONE:
        return
    decoded = state.api_tpot * (output - 1)
    e2e = state.api_ttft + int(decoded + 0.5)
    state.last_event = max(state.last_event, tick + e2e)
    state.ttft[bucket(float(state.api_ttft))] += 1
    state.e2e[bucket(float(e2e))] += 1
    tpot = 0.0
    if output > 1:
        tpot = state.api_tpot
        state.tpot[bucket(tpot)] += 1
    if state.api_ttft <= state.slo_ttft and tpot <= state.slo_tpot:
        state.within_slo += 1
    if number < fleet.kept.shape[1]:
        fleet.kept[0, number] = state.api_ttft
        fleet.kept[1, number] = e2e


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
    give(slot, chosen_place(tick, state, fleet), tick, state, fleet)


@compiled
def give(slot: int, place: int, tick: int, state: State, fleet: Fleet) -> None:
    """Put a request into the queue of the replica in a place; with none, keep it back, and have one come."""
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
    """What happens up to ``until`` beside arrivals: replicas become ready or are lost, the policy is checked."""
    while True:
        tick = next_event(state)
        if tick > until:
            return
        if state.next_ready <= tick:
            make_ready(tick, state, fleet)
        if state.next_loss <= tick:
            pass_losses(tick, state, fleet)
        if state.next_check <= tick:
            check(tick, state, fleet)
            state.next_check += state.interval


@compiled
def next_event(state: State) -> int:
    """The tick of the next event that is not an arrival."""
    return min(state.next_check, state.next_ready, state.next_loss)


@compiled
def pass_losses(tick: int, state: State, fleet: Fleet) -> None:
    """Replicas are lost, a policy looks at what is left, and their requests go to the head of other queues.

    They are given out from the last to the first, so that each queue keeps their order.
    """
    until = take_losses(tick, state, fleet)
    if state.policy != FIXED:
        check(tick, state, fleet)
    slot = state.lost.head
    state.lost.head = NONE
    while slot != NONE:
        following = fleet.slots[slot].next
        place = chosen_place(until, state, fleet)
        if place == NONE:
            prepend(slot, state.backlog, fleet.slots)
            if count_status(STARTING, fleet) == 0:
                start_replicas(1, tick, state, fleet)
        else:
            replica = fleet.replicas[place]
            advance(replica, until, state, fleet.slots, fleet.kept)
            replica.now = max(replica.now, until)
            replica.outstanding += 1
            prepend(slot, replica.waiting, fleet.slots)
        slot = following


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
def finish(state: State, fleet: Fleet) -> None:
    """Serve what is left, then stop every replica at the last event. What is lost after the last answer is not lost."""
    tick = next_event(state)
    while state.in_system > 0 and tick < NEVER:
        if state.next_loss == tick:
            advance_all(tick, state, fleet)
        if state.in_system > 0:
            pass_events(tick, state, fleet)
        tick = next_event(state)
    advance_all(NEVER, state, fleet)
    for place in range(len(fleet.replicas)):
        if fleet.replicas[place].status != OFF:
            stop(place, state.last_event, state, fleet)


@compiled
def advance_all(until: int, state: State, fleet: Fleet) -> None:
    """Bring every replica that serves up to a tick."""
    for place in range(len(fleet.replicas)):
        if fleet.replicas[place].status >= READY:
            advance(fleet.replicas[place], until, state, fleet.slots, fleet.kept)
