"""The body of one attempt as it is sent: what was taken out of it, and who asked for its prompt to be cached."""

from __future__ import annotations

from msgspec import Struct

from breakeven.catalog.usage import Usage
from breakeven.ledger.entry import MarkedBy
from breakeven.pipeline.prompt_marker import Told
from breakeven.policy.json_minify import minified
from breakeven.upstreams.tool_results import with_rewritten_results


class Removed(Struct, frozen=True, kw_only=True, gc=False):
    """Whitespace that was not sent: its characters, and the runs that they stood in."""

    chars: int = 0
    runs: int = 0

    def tokens(self, usage: Usage, sent: bytes) -> int:
        """About how many input tokens that was, by what the upstream counted in what was sent to it.

        A run of whitespace is at least one token in what is indented, and less where it is one space. So the smaller of
        both is taken: the runs, and the characters at the tokens per byte of this very request. On rows, prose and
        numbers in JSON, written in three ways and counted by three tokenizers, it was never more than the truth, and
        characters alone were up to four times as much.
        """
        return min(self.runs, self.chars * usage.input_tokens // max(len(sent), 1))


NOTHING_REMOVED = Removed()


class Prepared(Struct, frozen=True, kw_only=True, gc=False):
    """A body to send. ``marked_by`` is the gateway only where the provider caches nothing without its marks.

    ``written`` is what the codec wrote, which it was made from; ``told`` is what the bill will teach.
    """

    written: bytes
    body: bytes
    removed: Removed = NOTHING_REMOVED
    marked_by: MarkedBy = "none"
    told: Told | None = None


def minified_results(body: bytes, path: str) -> tuple[bytes, Removed]:
    """A body with the JSON in the results of tools written without insignificant whitespace, and what that took out.

    Blocks that the caller marks for a cache are written so too: the same block is always written the same, so whatever
    is cached of it is found again.
    """
    chars = runs = 0

    def rewrite(text: str) -> str | None:
        nonlocal chars, runs
        found = minified(text)
        if found is None:
            return None
        chars += found.removed_chars
        runs += found.removed_runs
        return found.text

    written = with_rewritten_results(body, path, rewrite)
    return written, Removed(chars=chars, runs=runs) if runs else NOTHING_REMOVED
