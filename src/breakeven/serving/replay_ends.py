"""The ends of a replica's decoding sequences, as a heap: which one is done next, and after how many steps."""

from __future__ import annotations

from breakeven.serving.compiled import compiled
from breakeven.serving.replay_state import Replica


@compiled
def push_end(end: int, slot: int, replica: Replica) -> None:
    """Put the end of a sequence into the heap."""
    replica.decoding += 1
    rise(replica.decoding - 1, end, slot, replica)


@compiled
def remove_end(place: int, replica: Replica) -> int:
    """Take the end at a place of the heap (0: the earliest) out of it, and give its slot."""
    slot = replica.ends_of[place]
    replica.decoding -= 1
    last = replica.decoding
    end, end_of = replica.ends[last], replica.ends_of[last]
    if place > 0 and replica.ends[(place - 1) // 2] > end:
        rise(place, end, end_of, replica)
    else:
        sink(place, end, end_of, replica)
    return int(slot)


@compiled
def rise(place: int, end: int, slot: int, replica: Replica) -> None:
    """Put an end at a place, or nearer to the root where those above it are later."""
    ends, ends_of = replica.ends, replica.ends_of
    while place > 0 and ends[(place - 1) // 2] > end:
        above = (place - 1) // 2
        ends[place] = ends[above]
        ends_of[place] = ends_of[above]
        place = above
    ends[place] = end
    ends_of[place] = slot


@compiled
def sink(place: int, end: int, slot: int, replica: Replica) -> None:
    """Put an end at a place, or farther from the root where those below it are earlier."""
    ends, ends_of, size = replica.ends, replica.ends_of, replica.decoding
    child = 2 * place + 1
    while child < size:
        if child + 1 < size and ends[child + 1] < ends[child]:
            child += 1
        if ends[child] >= end:
            break
        ends[place] = ends[child]
        ends_of[place] = ends_of[child]
        place, child = child, 2 * child + 1
    ends[place] = end
    ends_of[place] = slot
