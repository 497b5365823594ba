"""From what a codec wrote to what is sent: results of tools made shorter, and the provider told what to cache.

It is done to the bytes of each attempt anew, so an attempt elsewhere inherits nothing. The client's own body, by which
its answer is read and remembered, stays what it is.
"""

from __future__ import annotations

from breakeven.ledger.entry import LedgerEntry
from breakeven.pipeline.prepared import NOTHING_REMOVED, Prepared, minified_results
from breakeven.pipeline.prompt_marker import PromptMarker
from breakeven.pipeline.target import Target
from breakeven.upstreams.wire import Question


class Preparation:
    """Prepares bodies, and learns from how their attempts were billed."""

    def __init__(self) -> None:
        self.marker = PromptMarker()

    def prepare(self, tenant: str, question: Question, target: Target, path: str, body: bytes) -> Prepared:
        """A body on its way to a deployment's ``path``."""
        if target.exact_usage is not None:  # the echo, which is billed for the very question
            return Prepared(written=body, body=body)
        short, removed = body, NOTHING_REMOVED
        if target.body_rules.minifies_json:
            short, removed = minified_results(body, path)
        marked = self.marker.marked(tenant, question, target, path, short)
        return Prepared(written=body, body=marked.body, removed=removed, marked_by=marked.marked_by, told=marked.told)

    def settled(self, prepared: Prepared, entry: LedgerEntry) -> None:
        """An attempt is over, and billed."""
        if prepared.told is not None:
            self.marker.settled(prepared.told, entry)
