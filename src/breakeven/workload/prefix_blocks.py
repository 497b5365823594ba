"""The blocks of tokens that the requests of a trace begin with, as two columns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class PrefixBlocks:
    """The blocks that requests begin with: request ``i`` has ``ids[offsets[i] : offsets[i + 1]]``.

    ``ids`` has shape (blocks,), ``offsets`` shape (n + 1,); each block stands for ``block_tokens`` tokens.
    """

    block_tokens: int
    ids: NDArray[np.int64]
    offsets: NDArray[np.int64]

    def of(self, request: int) -> list[int]:
        """The blocks of one request, from its beginning on."""
        blocks: list[int] = self.ids[self.offsets[request] : self.offsets[request + 1]].tolist()
        return blocks

    def taken(self, rows: NDArray[np.int64]) -> PrefixBlocks:
        """The blocks of the requests at ``rows``, in that order."""
        if len(rows) == len(self.offsets) - 1 and (np.diff(rows) == 1).all():
            return self
        counts = np.diff(self.offsets)[rows]
        offsets = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(counts)])
        places = np.repeat(self.offsets[rows] - offsets[:-1], counts) + np.arange(offsets[-1])
        return PrefixBlocks(block_tokens=self.block_tokens, ids=self.ids[places], offsets=offsets)
