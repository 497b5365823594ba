"""How much of a trace's input repeats the beginning of an earlier request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from breakeven.errors import TraceError
from breakeven.workload.trace_cells import Chunk


@dataclass(slots=True, kw_only=True)
class PrefixReuse:
    """Counts input tokens in leading blocks that an earlier row named; every block is remembered for good.

    So the share is the most that a prefix cache of unlimited size and life can save.
    """

    block_tokens: int
    _seen: set[int] = field(default_factory=set)
    _reused_tokens: int = 0
    _input_tokens: int = 0

    def add(self, chunk: Chunk, input_tokens: Sequence[int]) -> None:
        """Count one chunk's rows, in order.

        Raises:
            TraceError: a row's blocks are not a list of whole numbers; names the line.
        """
        for row, blocks in enumerate(chunk.prefix_blocks or ()):
            if not isinstance(blocks, list) or not set(map(type, blocks)) <= {int}:
                raise TraceError(f"{chunk.at(row)}: hash_ids is not a list of whole numbers", cause=f"{blocks!r:.80}")
            self._reused_tokens += min(self._leading(blocks) * self.block_tokens, input_tokens[row])
            self._input_tokens += input_tokens[row]
            self._seen.update(blocks)

    @property
    def frac(self) -> float:
        """Share of all input tokens that were sent before, 0..1."""
        return self._reused_tokens / max(1, self._input_tokens)

    def _leading(self, blocks: list[int]) -> int:
        for count, block in enumerate(blocks):
            if block not in self._seen:
                return count
        return len(blocks)
