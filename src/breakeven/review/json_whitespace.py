"""Results of tools that are sent as JSON with blanks and line ends between its tokens: tokens that say nothing."""

from __future__ import annotations

from breakeven.catalog.usage import Usage
from breakeven.policy.json_minify import minified
from breakeven.review.finding import Finding, Tally
from breakeven.review.logged_request import LoggedRequest
from breakeven.review.rule import without_input


class JsonWhitespace:
    """What the gateway takes out of results of tools: a run of whitespace is counted as one token at most."""

    def __init__(self) -> None:
        self._tokens = 0

    def look(self, request: LoggedRequest) -> None:
        """Nothing of it needs to be known before."""

    def apply(self, request: LoggedRequest, usage: Usage) -> Usage:
        """The request with its tools' results written without insignificant whitespace."""
        removed = 0
        for part in request.parts:
            if part.role == "tool_result" and (found := minified(part.text)) is not None:
                removed += min(found.removed_runs, request.tokens(" " * found.removed_chars))
        if not removed:
            return usage
        self._tokens += removed
        return without_input(usage, removed)

    def finding(self, tally: Tally) -> Finding | None:
        """How many tokens said nothing."""
        if tally.now_nano_usd <= tally.after_nano_usd:
            return None
        return Finding(
            rule_id="json-whitespace",
            title="results of tools are sent as JSON with whitespace in it",
            requests=tally.requests,
            now_nano_usd=tally.now_nano_usd,
            after_nano_usd=tally.after_nano_usd,
            evidence=(f"about {self._tokens:,} input tokens are blanks and line ends between the tokens of JSON",),
            fix="write tools' results without indentation, or serve through the gateway, which does so by default",
            quality_risk="low",
        )
