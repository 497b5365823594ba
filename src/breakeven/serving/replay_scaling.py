"""How many replicas there are: a policy looks at the load, starts them and lets them go, and their time is paid for."""

from __future__ import annotations

from typing import Final

from breakeven.serving.compiled import compiled
from breakeven.serving.replay import advance, spread
from breakeven.serving.replay_state import (
    BY_KV,
    BY_QUEUE,
    CARRY,
    DRAINING,
    NEVER,
    NONE,
    OFF,
    READY,
    STARTING,
    TICKS_PER_S,
    Fleet,
    State,
)

HOUR: Final = 3_600 * TICKS_PER_S


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
        if count > 0 and fleet.replicas[place].status == OFF:
            start_replica(place, tick, state, fleet)
            count -= 1


@compiled
def start_replica(place: int, tick: int, state: State, fleet: Fleet) -> None:
    """Begin a cold start."""
    replica = fleet.replicas[place]
    replica.status = STARTING
    replica.ready_at = tick + state.cold_start
    replica.billed_from = tick + state.unbilled
    state.next_ready = min(state.next_ready, replica.ready_at)
    state.cold_starts += 1


@compiled
def drain_replicas(count: int, tick: int, state: State, fleet: Fleet) -> None:
    """Let ``count`` ready replicas go, those with the fewest requests first; an idle one stops now."""
    for _ in range(count):
        best = NONE
        fewest = NEVER
        for place in range(state.kept_replicas, len(fleet.replicas)):
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
