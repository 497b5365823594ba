"""A trace replayed through the provider's prompt cache, marked by the policy that the gateway marks by."""

from __future__ import annotations

from collections.abc import Iterator

from breakeven.plan.prompt_cache_replay import PrefixRequest
from breakeven.policy.prompt_cache import Prefix
from breakeven.workload.prefix_blocks import PrefixBlocks
from breakeven.workload.trace import Trace

_DIGEST_BYTES = 8


def prefix_requests(trace: Trace, blocks: PrefixBlocks) -> Iterator[PrefixRequest]:
    """The trace's requests with their beginnings: one at the end of each block, the last at the end of the prompt.

    A beginning's digest covers all of its blocks, so blocks that are not chained in the trace are chained here.
    """
    inputs, arrivals = trace.input_tokens.tolist(), trace.arrivals_s.tolist()
    for row, (input_tokens, at_s) in enumerate(zip(inputs, arrivals, strict=True)):
        yield PrefixRequest(at_s, input_tokens, tuple(_prefixes(blocks.of(row), blocks.block_tokens, input_tokens)))


def _prefixes(ids: list[int], block_tokens: int, input_tokens: int) -> Iterator[Prefix]:
    chain, tokens = 0, 0
    for block in ids:
        if tokens >= input_tokens:
            return
        chain = hash((chain, block))
        tokens = min(tokens + block_tokens, input_tokens)
        yield Prefix(chain.to_bytes(_DIGEST_BYTES, "little", signed=True), tokens)
