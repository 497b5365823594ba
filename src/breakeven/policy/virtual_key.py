"""Virtual keys: who is asking, what they may ask for, and how fast."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from breakeven.policy.scope import Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimits:
    """The most requests and tokens (input and output) a minute, and the most requests at once; None: no limit."""

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    parallel_requests: int | None = None

    @property
    def are_none(self) -> bool:
        """Whether nothing is limited."""
        return self.requests_per_minute is None and self.tokens_per_minute is None and self.parallel_requests is None


@dataclass(frozen=True, slots=True, kw_only=True)
class VirtualKey:
    """A key that the gateway gave out. Its secret is not here: the ledger keeps the SHA-256 of it.

    ``allowed_models`` is empty where every model may be asked for. ``tags`` are added to each request's own.
    """

    key_id: str
    tenant: str
    team: str = ""
    user: str = ""
    name: str = ""
    allowed_models: frozenset[str] = frozenset()
    max_nano_usd_per_request: int | None = None
    limits: RateLimits = field(default_factory=RateLimits)
    tags: tuple[str, ...] = ()
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None

    def scopes(self, model: str, tags: tuple[str, ...] = ()) -> tuple[Scope, ...]:
        """Every scope that a request of this key for a model counts under; tags are ``KEY=VALUE``."""
        tenant = self.tenant
        found = [Scope(tenant, "tenant", tenant), Scope(tenant, "key", self.key_id), Scope(tenant, "model", model)]
        if self.team:
            found.append(Scope(tenant, "team", self.team))
        if self.user:
            found.append(Scope(tenant, "user", self.user))
        found.extend(Scope(tenant, "tag", tag) for tag in dict.fromkeys((*self.tags, *tags)))
        return tuple(found)
