"""What an audit found: money at stake, how it is known, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Risk = Literal["none", "low", "high"]
"""What a fix may do to the answers: nothing, little, or enough that it has to be tried first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One way to spend less. Amounts are nano-dollars in the log: of the requests concerned, now and with the fix.

    ``evidence`` are sentences with the figures. ``fix`` says what to change or run. Findings of one audit are counted
    one after the other, each on what the ones before it left, so their savings never add up to more than was spent.
    """

    rule_id: str
    title: str
    requests: int
    now_nano_usd: int
    after_nano_usd: int
    evidence: tuple[str, ...]
    fix: str
    quality_risk: Risk

    @property
    def saved_nano_usd(self) -> int:
        """What the fix would have saved of the log's spend."""
        return self.now_nano_usd - self.after_nano_usd


@dataclass(slots=True)
class Tally:
    """What one rule found so far: the requests that it would change, and their cost before and after."""

    requests: int = 0
    now_nano_usd: int = 0
    after_nano_usd: int = 0

    def add(self, now_nano_usd: int, after_nano_usd: int) -> None:
        """Count one request that a rule would change."""
        self.requests += 1
        self.now_nano_usd += now_nano_usd
        self.after_nano_usd += after_nano_usd
