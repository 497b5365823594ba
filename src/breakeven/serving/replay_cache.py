"""The key and value cache of one replica: who holds how much of it, when it is full, and who then has to go.

As vLLM keeps it (``admission = "blocks"``): a prompt takes its blocks of 16 tokens when it is admitted, and a decoding
sequence one more before each step that begins a block. Where none is left, the request admitted last loses its blocks
and goes to the head of the queue; its prompt and the tokens that it has are prefilled again. As TensorRT-LLM does with
``GUARANTEED_NO_EVICT`` (``"whole"``): a request takes the tokens of its whole input and output when it is admitted, so
nothing grows and none has to go.

Nothing is counted at each step. Decoding sequences hold a block for every 16 tokens and one for the rest; what the
rest lacks to 16 follows from the step, modulo 16, before which a sequence takes its next block, so a count of the
sequences by that number gives the blocks that they hold after any number of steps.
"""

from __future__ import annotations

from breakeven.serving.compiled import compiled
from breakeven.serving.replay_ends import remove_end
from breakeven.serving.replay_state import BLOCK_TOKENS, NONE, Queue, Replica, Request, Slots, State


@compiled
def blocks_of(tokens: int) -> int:
    """Blocks that tokens of one sequence take."""
    return (tokens + BLOCK_TOKENS - 1) // BLOCK_TOKENS


@compiled
def admission_room(request: Request, state: State) -> int:
    """What a request takes of the cache when it is admitted: blocks of its prompt, or tokens of its whole."""
    if state.grows:
        return blocks_of(request.input + request.written)
    return request.input + request.output


@compiled
def residue(end: int, request: Request) -> int:
    """The steps, modulo 16, before which a sequence that is done after step ``end`` takes a block."""
    return (end + 1 - request.input - request.output) & (BLOCK_TOKENS - 1)


@compiled
def steps_with_room(most: int, more: int, replica: Replica, state: State) -> int:
    """How many steps, of ``most``, pass before the first one for which, beside ``more``, the cache has no room."""
    tokens = replica.context + (most + BLOCK_TOKENS - 2) * replica.decoding  # were each block begun just now
    if tokens <= (state.room - replica.held - more) * BLOCK_TOKENS:
        return most
    return counted_steps(most, more, replica, state)


@compiled
def counted_steps(most: int, more: int, replica: Replica, state: State) -> int:
    """The same, told exactly: what the decoding sequences hold in the next step, then what every further one takes."""
    room = state.room - replica.held - more
    if not state.grows:
        return most if room >= 0 else 0
    after = replica.decode_steps + 1
    tokens = replica.context
    for step in range(BLOCK_TOKENS):
        tokens += replica.crossing[step] * ((step - after) % BLOCK_TOKENS)
    room -= tokens // BLOCK_TOKENS
    if room < 0:
        return 0
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
        replica.context -= again
        replica.crossing[residue(replica.decode_steps + left, request)] -= 1
    else:
        request = slots[slot]
        prompt = request.input + request.written
        again = prompt - request.left
        replica.held -= admission_room(request, state)
        replica.prefilling.head = NONE
    replica.running -= 1
    prepend(slot, replica.waiting, slots)
    state.waiting += 1
    state.queued -= replica.now - request.arrival  # all of it is added again when it begins, so the new wait remains
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
