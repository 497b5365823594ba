"""The seam to answers of other wordings: what is recognised, found and compared, without what that takes."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple, Protocol

from breakeven.cache.response_store import StoredAnswer
from breakeven.pipeline.given import Asked
from breakeven.policy.cache_key import KeyScope
from breakeven.policy.semantic_rule import SemanticRule


class Reworded(NamedTuple):
    """A request as another wording of it is recognised.

    ``key`` is that of an answer to another wording, empty where there is none; ``serves`` whether it may be served now.
    ``meant`` is what the finder knows of the question, for itself.
    """

    key: bytes
    serves: bool
    meant: object


class OtherWordings(Protocol):
    """Finds answers to other wordings, learns of answers, and compares. ``counts`` are of what came of it, by name."""

    counts: Counter[str]

    def reworded(self, asked: Asked, scope: KeyScope, rule: SemanticRule) -> Reworded | None:
        """How a request is recognised, and the answer that another wording of it has; None for no single question."""
        ...

    def bought(self, told: Reworded, key: bytes, answer: StoredAnswer) -> None:
        """An answer was bought and is remembered under ``key``: other wordings may have it.

        Where another wording has one, they are compared when nobody waits for it; returns at once.
        """
        ...

    async def close(self) -> None:
        """Finish what is under way, and end."""
        ...
