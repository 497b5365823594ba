"""The key and value cache of one replica: who holds how much of it, when it is full, and who then has to go.

As vLLM keeps it (``admission = "blocks"``): a prompt takes its blocks of 16 tokens when it is admitted, and a decoding
sequence one more before each step that begins a block. Where none is left, the request admitted last loses its blocks
and goes to the head of the queue; its prompt and the tokens that it has are prefilled again. As TensorRT-LLM does with
``GUARANTEED_NO_EVICT`` (``"whole"``): a request takes the tokens of its whole input and output when it is admitted, so
nothing grows and none has to go.

A sequence takes a block every 16 steps, so a count of the decoding sequences by the step, modulo 16, at which they do
tells how much any number of steps takes.
"""

from __future__ import annotations

from breakeven.serving.compiled import compiled
from breakeven.serving.replay_ends import remove_end
from breakeven.serving.replay_state import BLOCK_TOKENS, NONE, Queue, Replica, Request, Slots, State


@compiled
def held_blocks(request: Request, cached: int, state: State) -> int:
    """What a request with ``cached`` tokens in the cache holds of it: blocks, or tokens where it holds its whole."""
    if state.grows:
        return (cached + BLOCK_TOKENS - 1) // BLOCK_TOKENS
    return request.input + request.output


@compiled
def residue(end: int, request: Request) -> int:
    """The steps, modulo 16, before which a sequence that is done after step ``end`` takes a block."""
    return (end + 1 - request.input - request.output) % BLOCK_TOKENS


@compiled
def grow(replica: Replica, state: State, slots: Slots) -> None:
    """Take the blocks that the decoding sequences need in the next step, those of the last admitted if need be."""
    if not state.grows:
        return
    step = replica.decode_steps % BLOCK_TOKENS
    while replica.held + replica.crossing[step] > state.room:
        preempt(replica, state, slots)
        state.preemptions += 1
    replica.held += replica.crossing[step]


@compiled
def blocks_taken(count: int, replica: Replica, state: State) -> int:
    """Blocks that the decoding sequences take in the ``count`` steps after the next one."""
    if not state.grows:
        return 0
    taken = count // BLOCK_TOKENS * replica.decoding
    for step in range(1, count % BLOCK_TOKENS + 1):
        taken += replica.crossing[(replica.decode_steps + step) % BLOCK_TOKENS]
    return taken


@compiled
def steps_with_room(most: int, replica: Replica, state: State) -> int:
    """How many steps, of ``most``, pass before one for which there are too few blocks; those of the first are taken."""
    room = state.room - replica.held
    if not state.grows or (most // BLOCK_TOKENS + 1) * replica.decoding <= room:
        return most
    rounds = room // replica.decoding
    room -= rounds * replica.decoding
    count = 1 + rounds * BLOCK_TOKENS
    while count < most:
        room -= replica.crossing[(replica.decode_steps + count) % BLOCK_TOKENS]
        if room < 0:
            return count
        count += 1
    return most


@compiled
def preempt(replica: Replica, state: State, slots: Slots) -> None:
    """Take the request admitted last out of the batch, which must not be empty, and put it at the head of the queue.

    Between two steps only. What it holds of the cache is free; its prompt and the tokens it has are prefilled again.
    """
    slot = replica.prefilling.head
    if slot == NONE:
        place = last_admitted(replica, slots)
        left = replica.ends[place] - replica.decode_steps
        slot = remove_end(place, replica)
        request = slots[slot]
        request.written = request.output - left
        again = request.input + request.written
        replica.held -= held_blocks(request, again - 1, state)
        replica.context -= again
        replica.crossing[residue(replica.decode_steps + left, request)] -= 1
    else:
        request = slots[slot]
        prompt = request.input + request.written
        again = prompt - request.left
        replica.held -= held_blocks(request, prompt, state)
        replica.prefilling.head = NONE
    replica.running -= 1
    prepend(slot, replica.waiting, slots)
    state.waiting += 1
    state.queued -= replica.now - request.arrival
    state.recomputed_tokens += again


@compiled
def last_admitted(replica: Replica, slots: Slots) -> int:
    """The place in the heap of the decoding sequence that was admitted last."""
    latest = 0
    for place in range(1, replica.decoding):
        if slots[replica.ends_of[place]].admission > slots[replica.ends_of[latest]].admission:
            latest = place
    return latest


@compiled
def prepend(slot: int, queue: Queue, slots: Slots) -> None:
    """Put a slot at the head of a queue."""
    slots[slot].next = queue.head
    if queue.head == NONE:
        queue.tail = slot
    queue.head = slot
