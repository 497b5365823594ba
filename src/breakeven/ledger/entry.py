"""One row of the ledger: one attempt at one request, what it used, what it cost, and how that is known."""

from __future__ import annotations

from typing import Literal

import msgspec

from breakeven.catalog.usage import Usage
from breakeven.policy.decision import Operation

Outcome = Literal["ok", "refused_by_upstream", "failed", "timeout", "client_gone", "interrupted"]
"""How the attempt ended. ``interrupted``: the process died while it was under way."""

UsageBasis = Literal["reported", "estimated", "bound", "none"]
"""How the usage is known: the upstream said so, it was estimated from what was delivered, it is the worst case that
was held (where nothing else is known), or nothing was billed."""

ServedFrom = Literal["upstream", "response_cache", "single_flight", "semantic_cache"]
"""Where the answer came from: bought for this request, remembered, or bought by another one that was under way."""

MarkedBy = Literal["none", "caller", "gateway"]
"""Who asked the provider to cache the prompt, if anybody did."""


class LedgerEntry(msgspec.Struct, frozen=True, array_like=True):
    """One attempt. ``(request_id, attempt)`` is unique and ours: providers repeat and omit their own ids.

    Times are nanoseconds since 1970 in UTC. Money is integer nano-dollars: ``list`` at the published price,
    ``effective`` at the negotiated one, which is what budgets count; ``baseline`` what the requested model would have
    cost. ``price_date`` is the day the price was checked on, ISO 8601.

    An answer that was not bought for this request has no usage and no cost; its baseline is what it would have cost.
    ``prompt_cache_saved`` is what the input would have cost with nothing read from or written to the provider's cache,
    less what it cost: below 0 where writing came dearer than reading saved. ``removed`` is what token reduction kept
    out of the input, and its price where it would have been billed. The last five came later: old rows lack them.

    The journal has the fields by their position: a new one goes behind the others and has a default.
    """

    request_id: str
    attempt: int
    started_at_ns: int
    duration_s: float
    ttft_s: float | None
    tenant: str
    team: str
    user: str
    key_id: str
    tags: tuple[str, ...]
    operation: Operation
    stream: bool
    requested_model: str
    served_model: str
    deployment: str
    provider: str
    outcome: Outcome
    http_status: int
    usage: Usage
    usage_basis: UsageBasis
    list_nano_usd: int
    effective_nano_usd: int
    baseline_nano_usd: int
    price_source: str
    price_date: str
    upstream_request_id: str
    decision: str
    served_from: ServedFrom = "upstream"
    marked_by: MarkedBy = "none"
    prompt_cache_saved_nano_usd: int = 0
    removed_input_tokens: int = 0
    removed_nano_usd: int = 0
