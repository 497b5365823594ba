"""Replicas that are taken away from a fleet: when, which, and with how much notice."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from breakeven.serving.cold_start import ColdStart

NOTICE_S: Final = 120.0
"""Seconds between AWS's word that it takes an instance and the loss; other clouds give less."""
NOTICE_SOURCE: Final = "docs.aws.amazon.com, EC2 user guide, Spot Instance interruption notices (read November 2026)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Interruptions:
    """Replica ``places[i]`` is lost at ``at_s[i]`` seconds, ascending, if it is there; equal times are one outage.

    Places count from 0 behind the first ``kept_replicas``, which are never lost, nor let go by a policy before others.
    A replica gets no more requests from ``notice_s`` before its loss. What it then still has goes to the others, to be
    prefilled again. A fixed fleet replaces it at once, a policy as it then sees fit; ``cold_start`` is that of a
    replacement where there is no policy, which has its own.
    """

    at_s: tuple[float, ...] = ()
    places: tuple[int, ...] = ()
    kept_replicas: int = 0
    notice_s: float = 0.0
    cold_start: ColdStart = field(default_factory=ColdStart)


@dataclass(frozen=True, slots=True, kw_only=True)
class SpotTerms:
    """What a fleet file says of spot: observed ``zones``, and how many replicas are held otherwise.

    The losses are drawn from the zones' spells with ``seed``.
    """

    zones: tuple[str, ...]
    kept_replicas: int = 0
    notice_s: float = NOTICE_S
    seed: int = 1
