"""Who is asking: the key behind a secret, if it is known, in force and not withdrawn."""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha256

from breakeven.ledger.ledger_store import LedgerStore
from breakeven.pipeline.refusal import Refusal
from breakeven.policy.virtual_key import VirtualKey

_UNKNOWN = "the API key is missing, unknown, expired or revoked; breakeven key create gives one"


async def authorised_key(ledger: LedgerStore, secret: bytes) -> VirtualKey:
    """The key of a secret. Only its digest is compared and kept, so timing tells nothing of the secret itself.

    Raises:
        Refusal: 401, in the same words whatever is wrong with it.
    """
    key = await ledger.key(sha256(secret).digest()) if secret else None
    if key is None or key.revoked_at is not None:
        raise Refusal(401, "invalid_api_key", _UNKNOWN)
    if key.expires_at is not None and datetime.now(UTC) >= key.expires_at:
        raise Refusal(401, "invalid_api_key", _UNKNOWN)
    return key
