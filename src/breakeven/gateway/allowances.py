"""What deployments add to inputs beyond what was sent: as stated, or as seen; kept when the configuration changes."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Final
from weakref import WeakValueDictionary

from breakeven.gateway.config import UpstreamConfig
from breakeven.pipeline.target import AddedTokens, Target

LOG = logging.getLogger("breakeven.gateway")
_WORTH_TELLING: Final = 1.25
"""How much more than was told last is told again: what a deployment adds may differ a little with each request."""


class Allowances:
    """One allowance for each deployment, which all of its routes share, and what was told of those that grew."""

    def __init__(self) -> None:
        self._shared: WeakValueDictionary[tuple[str, str], AddedTokens] = WeakValueDictionary()
        self._grown: dict[tuple[str, str], AddedTokens] = {}
        self._told: dict[tuple[str, str], int] = {}

    def of(self, upstream: UpstreamConfig, model: str) -> AddedTokens:
        """A deployment's allowance: what the upstream states, or what was seen where that is more."""
        key, stated = (upstream.name, model), upstream.added_input_tokens
        found = self._shared.get(key)
        if found is None or found.stated_tokens != stated:
            grown = found is not None and found.tokens > found.stated_tokens
            found = AddedTokens(tokens=max(found.tokens, stated) if found and grown else stated, stated_tokens=stated)
            self._shared[key] = found
        return found

    def look(self, targets: Iterable[Target]) -> None:
        """Keep the allowances that have grown, and say so in the log, since the requests before held too little."""
        for target in targets:
            key, added = (target.name, target.model), target.added
            if added.tokens <= added.stated_tokens:
                continue
            self._grown[key] = added
            if added.tokens > _WORTH_TELLING * max(self._told.get(key, 0), added.stated_tokens):
                self._told[key] = added.tokens
                LOG.warning(
                    "%s@%s counts up to %d more input tokens than were sent, and %d were allowed for. Requests hold "
                    "them from now on; added_input_tokens = %d for the upstream lets the first ones do so, too",
                    target.model,
                    target.name,
                    added.tokens,
                    added.stated_tokens,
                    added.tokens,
                )
