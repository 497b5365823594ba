"""What a route says of answers to other wordings of a question."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Mode = Literal["off", "shadow", "serve"]
"""``shadow`` only compares: the real call is made each time. ``serve`` serves while the evidence clears."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SemanticRule:
    """What a route says of answers to other wordings.

    ``max_wrong_frac`` is the promise: the share of wrong answers among those served. ``similarity`` is the least cosine
    of two questions' embeddings, ``audit_frac`` the share of hits that are bought anyway, to be compared.
    """

    mode: Mode = "off"
    max_wrong_frac: float = 0.01
    similarity: float = 0.5
    audit_frac: float = 0.05
