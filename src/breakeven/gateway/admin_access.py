"""Who may ask the admin API: the admin key, compared by digest in constant time, and few guesses a minute."""

from __future__ import annotations

import hmac
from collections import OrderedDict, deque
from collections.abc import Callable
from hashlib import sha256
from ipaddress import ip_address
from time import monotonic
from typing import Final

from breakeven.gateway.http_request import Request
from breakeven.pipeline.refusal import Refusal

WINDOW_S: Final = 60.0
FAILURES: Final = 10
"""Wrong keys that one address may send within the window; after that nothing it sends is compared."""

_MOST_ADDRESSES: Final = 10_000
_FORWARDED: Final = (b"forwarded", b"x-forwarded-for", b"x-real-ip")


class AdminAccess:
    """Knows the admin key by its digest."""

    def __init__(self, secret: str, failures: int = FAILURES, clock: Callable[[], float] = monotonic) -> None:
        self._digest = sha256(secret.encode()).digest()
        self._failures = failures
        self._clock = clock
        self._failed: OrderedDict[str, deque[float]] = OrderedDict()

    def allows(self, request: Request) -> bool:
        """Whether the request carries the admin key.

        Raises:
            Refusal: 429, its address has sent too many wrong keys.
        """
        self._check_peer(request.peer)
        given = bearer(request)
        return bool(given) and hmac.compare_digest(sha256(given).digest(), self._digest)

    def failed(self, request: Request) -> None:
        """Count a request with a wrong key against its address."""
        times = self._failed.setdefault(request.peer, deque(maxlen=self._failures))
        times.append(self._clock())
        self._failed.move_to_end(request.peer)
        if len(self._failed) > _MOST_ADDRESSES:
            self._failed.popitem(last=False)

    def _check_peer(self, peer: str) -> None:
        times = self._failed.get(peer)
        if times is None:
            return
        now_s = self._clock()
        while times and times[0] <= now_s - WINDOW_S:
            times.popleft()
        if not times:
            del self._failed[peer]
        elif len(times) >= self._failures:
            wait_s = times[0] + WINDOW_S - now_s
            raise Refusal(429, "too_many_failures", "too many wrong admin keys from here", retry_after_s=wait_s)


def bearer(request: Request) -> bytes:
    """The key of an ``Authorization: Bearer`` header; empty without one."""
    value = request.headers.get(b"authorization", b"")
    return value[7:].strip() if value[:7].lower() == b"bearer " else b""


def is_local(request: Request) -> bool:
    """Whether the request came from this machine, and not through a proxy that runs on it."""
    if any(name in request.headers for name in _FORWARDED):
        return False
    try:
        peer = ip_address(request.peer)
    except ValueError:
        return False
    mapped = getattr(peer, "ipv4_mapped", None)
    return (mapped or peer).is_loopback
