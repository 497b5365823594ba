"""Replicas that are taken away: notice, loss, and where their requests go.

A lost replica finishes the step under way, and is paid for until then. Its cache is gone: its requests go to the head
of the queues of the others, and what they had is prefilled again, as after a preemption.
"""

from __future__ import annotations

from breakeven.serving.compiled import compiled
from breakeven.serving.replay import advance
from breakeven.serving.replay_cache import preempt, prepend
from breakeven.serving.replay_scaling import start_replica, stop
from breakeven.serving.replay_state import DRAINING, FIXED, LEAVING, NEVER, NONE, OFF, READY, Fleet, State


@compiled
def take_losses(tick: int, state: State, fleet: Fleet) -> int:
    """All notices and losses up to a tick; gives the tick at which the last step of those lost ends."""
    row, until = state.loss_row, tick
    while row < fleet.losses.shape[1] and fleet.losses[0, row] <= tick:
        place = int(fleet.losses[1, row])
        if fleet.losses[2, row]:
            if fleet.replicas[place].status == READY or fleet.replicas[place].status == DRAINING:
                fleet.replicas[place].status = LEAVING
        else:
            until = max(until, lose(place, tick, state, fleet))
        row += 1
    state.loss_row = row
    state.next_loss = next_loss(state, fleet)
    return until


@compiled
def next_loss(state: State, fleet: Fleet) -> int:
    """The tick of the next notice or loss."""
    return int(fleet.losses[0, state.loss_row]) if state.loss_row < fleet.losses.shape[1] else NEVER


@compiled
def lose(place: int, tick: int, state: State, fleet: Fleet) -> int:
    """Take a replica away, its requests to ``state.lost``, the last one first; gives the end of its last step."""
    replica = fleet.replicas[place]
    if replica.status == OFF:
        return tick
    was = replica.status
    if was >= READY:
        advance(replica, tick, state, fleet.slots, fleet.kept)
    state.interruptions += 1
    state.interrupted_requests += replica.running
    while replica.running > 0:
        preempt(replica, state, fleet.slots)
    until = int(max(tick, replica.now))
    stop(place, tick, state, fleet)
    slot = replica.waiting.head
    replica.waiting.head = NONE
    replica.outstanding = 0
    while slot != NONE:
        following = fleet.slots[slot].next
        prepend(slot, state.lost, fleet.slots)
        slot = following
    if state.policy == FIXED:
        start_replica(place, until, state, fleet)
    return until
