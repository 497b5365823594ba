"""Which requests of a trace are the same question, and how long each answer took."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from breakeven.errors import TraceError
from breakeven.workload.prefix_blocks import PrefixBlocks
from breakeven.workload.trace_cells import Cells, Chunk

NO_CONTENT: Final = 0
"""The content of a request of which the trace does not tell it; it equals no other, not even itself."""


@dataclass(slots=True, kw_only=True)
class IdentityReader:
    """Collects what makes each request the same as another, chunk by chunk: 64 bits a request.

    It is the digest that the trace has of the whole request; else its prefix blocks and its length. Requests of
    different tenants, or to different models, are different, where the trace has these columns.
    """

    _parts: list[NDArray[np.int64]] = field(default_factory=list)

    def add(self, chunk: Chunk, input_tokens: NDArray[np.int64]) -> None:
        """Read one chunk's rows; a trace without hashes gives nothing.

        Raises:
            TraceError: a hash is neither a text nor a number; names the line.
        """
        digests = chunk.further.get("request_hash") or _digests_of_blocks(chunk.prefix_blocks, input_tokens)
        if digests is None:
            return
        parts = [chunk.further[name] for name in ("tenant", "model") if name in chunk.further]
        try:
            contents = [
                NO_CONTENT if row[0] in (None, "") else hash(row) or 1 for row in zip(digests, *parts, strict=True)
            ]
        except TypeError:
            row = next(row for row, cells in enumerate(zip(digests, *parts, strict=True)) if not _hashable(cells))
            raise TraceError(
                f"{chunk.at(row)}: a hash, tenant or model that is a list or an object",
                hint="write them as texts or numbers",
            ) from None
        self._parts.append(np.array(contents, dtype=np.int64))

    @property
    def contents(self) -> NDArray[np.int64] | None:
        """The content of each row in file order, int64 of shape (n,); None where the trace tells of no row."""
        found = np.concatenate(self._parts) if self._parts else None
        return found if found is not None and found.any() else None


def _hashable(cells: Sequence[object]) -> bool:
    return not any(isinstance(cell, list | dict) for cell in cells)


def _digests_of_blocks(blocks: Cells | None, input_tokens: NDArray[np.int64]) -> Sequence[object] | None:
    if blocks is None:
        return None
    return [(*row, length) if row else None for row, length in zip(blocks, input_tokens.tolist(), strict=True)]


@dataclass(slots=True, kw_only=True)
class BlockReader:
    """Collects the prefix blocks of a trace chunk by chunk: eight bytes a block."""

    block_tokens: int
    _ids: list[NDArray[np.int64]] = field(default_factory=list)
    _counts: list[NDArray[np.int64]] = field(default_factory=list)

    def add(self, chunk: Chunk) -> None:
        """Read one chunk's blocks, which are known to be lists of whole numbers."""
        rows = chunk.prefix_blocks or ()
        blocks = list(chain.from_iterable(rows))
        try:
            ids = np.array(blocks, dtype=np.int64)
        except OverflowError:  # numbers of more than 63 bits
            ids = np.array(list(map(hash, blocks)), dtype=np.int64)
        self._ids.append(ids)
        self._counts.append(np.array(list(map(len, rows)), dtype=np.int64))

    @property
    def blocks(self) -> PrefixBlocks | None:
        """The blocks of all rows in file order; None where the trace has none."""
        if not self._ids:
            return None
        offsets = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(np.concatenate(self._counts))])
        return PrefixBlocks(block_tokens=self.block_tokens, ids=np.concatenate(self._ids), offsets=offsets)


@dataclass(slots=True, kw_only=True)
class DurationReader:
    """Collects how long each answer took, in seconds; ``ticks_per_s`` is the column's unit, None where unknown."""

    ticks_per_s: int | None
    _parts: list[NDArray[np.float64]] = field(default_factory=list)

    def add(self, chunk: Chunk) -> None:
        """Read one chunk's durations; what is no number from 0 on is not known."""
        cells = chunk.further.get("duration")
        if cells is not None and self.ticks_per_s is not None:
            self._parts.append(np.array(list(_numbers(cells)), dtype=np.float64) / self.ticks_per_s)

    @property
    def durations_s(self) -> NDArray[np.float64] | None:
        """Seconds in file order, float64 of shape (n,), NaN where a row does not say; None without any."""
        found = np.concatenate(self._parts) if self._parts else None
        return found if found is not None and not np.isnan(found).all() else None


def _numbers(cells: Sequence[Any]) -> Iterator[float]:
    for cell in cells:
        try:
            number = float(cell)
        except (TypeError, ValueError):
            number = np.nan
        yield number if 0 <= number < np.inf else np.nan
