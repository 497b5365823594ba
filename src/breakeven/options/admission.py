"""Which options may be recommended for a workload, and the words for those that may not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from breakeven.catalog.precisions import Precision
from breakeven.catalog.quality import ModelQuality, quality_of
from breakeven.options.curve import Bools, Ints
from breakeven.options.option import Quality
from breakeven.workload.workload import QUALITY_TIERS, Requirements

UNRATED = "unrated"

FEWEST_SCORED_WEIGHT_BITS = 4.1
"""Below this many bits a weight, scales included, a model's public score no longer speaks for it.

Published 4-bit files keep 97-100% of the score; at 2 to 3 bits perplexity rises by 9% (Llama-2-70B) to 69%
(Llama-3-70B), so nothing can be said without a measurement. Sources: Neural Magic model cards (w4a16), llama.cpp pull
requests 6936 and 6745.
"""


@dataclass(slots=True)
class Refusals:
    """Refusals of n rows, collected one rule after another: the first rule that refuses a row gives the reason.

    ``priced`` says of each reason whether a row refused for it could still serve the workload at its cost.
    """

    codes: Ints
    reasons: list[str] = field(default_factory=list)
    priced: list[bool] = field(default_factory=list)

    @classmethod
    def of(cls, rows: int) -> Refusals:
        """No row refused yet."""
        return cls(np.zeros(rows, dtype=np.int64))

    def refuse(self, rows: Bools, reason: str, *, priced: bool = True) -> None:
        """Refuse these rows, unless an earlier rule has; an empty reason refuses nothing."""
        fresh = rows & (self.codes == 0)
        if reason and fresh.any():
            self.codes[fresh] = self._code(reason, priced)

    def refuse_row(self, row: int, reason: str, *, priced: bool = True) -> None:
        """Refuse one row, unless an earlier rule has; an empty reason refuses nothing."""
        if reason and self.codes[row] == 0:
            self.codes[row] = self._code(reason, priced)

    def _code(self, reason: str, priced: bool) -> int:
        if reason not in self.reasons:
            self.reasons.append(reason)
            self.priced.append(priced)
        return 1 + self.reasons.index(reason)

    def refuse_codes(self, codes: Ints, texts: Sequence[str]) -> None:
        """Refuse rows that cannot serve the workload by another room's codes, which index its texts; 0 refuses none."""
        for code in np.unique(codes[codes > 0]).tolist():
            self.refuse(codes == code, texts[code], priced=False)


def model_quality(model: str) -> Quality:
    """The quality of a hosted or open model by name, ``unrated`` where no public score is known."""
    found: ModelQuality | None = quality_of(model)
    if found is None:
        return Quality(tier=UNRATED)
    return Quality(
        tier=found.tier,
        score=float(found.score),
        benchmark=found.benchmark,
        source=f"{found.source}, {found.published_on}" + (f"; {found.note}" if found.note else ""),
    )


def is_scored(precision: Precision) -> bool:
    """Whether a model's public score speaks for it at this precision."""
    return precision.weight_bits >= FEWEST_SCORED_WEIGHT_BITS


def served_quality(model: str, precision: Precision) -> Quality:
    """The quality of an open model at a precision."""
    return model_quality(model) if is_scored(precision) else Quality(tier=UNRATED)


def quality_refusals(models: Iterable[str], requirements: Requirements, named: bool) -> list[str]:
    """For each model the reason why its quality rules it out, or an empty text.

    A model without a public score is admitted only where the user named the candidates.
    """
    order: dict[str, int] = {tier: rank for rank, tier in enumerate(QUALITY_TIERS)}
    required = requirements.min_quality
    reasons = []
    for model in models:
        tier = model_quality(model).tier
        if tier == UNRATED:
            reasons.append(
                "" if named else "unrated: no public quality score (name it with --candidates to compare it)"
            )
        elif order[tier] < order[required]:
            reasons.append(f"quality tier {tier} is below the required {required}")
        else:
            reasons.append("")
    return reasons
