"""What a client says of the cache in its ``Cache-Control`` header (RFC 9111, section 5.2.1)."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple


class CacheControl(NamedTuple):
    """What a request allows.

    ``no_store``: nothing is looked up or kept. ``no_cache``: a fresh answer is fetched, and kept. ``max_age_s``: an
    answer no older than this is served, None for any. ``only_if_cached``: nothing is fetched (504 where there is none).
    """

    no_store: bool = False
    no_cache: bool = False
    max_age_s: float | None = None
    only_if_cached: bool = False

    def allows_age_ns(self, age_ns: int) -> bool:
        """Whether an answer of this age may be served."""
        return self.max_age_s is None or age_ns <= self.max_age_s * 1_000_000_000

    def within(self, ttl_s: float) -> CacheControl:
        """The same, and no answer older than the route takes now, whatever it took when the answer was stored."""
        return self._replace(max_age_s=ttl_s if self.max_age_s is None else min(self.max_age_s, ttl_s))


@lru_cache(maxsize=256)
def read_cache_control(header: bytes) -> CacheControl:
    """Read a header's value; what is unknown is left out, as the standard asks, and a broken ``max-age`` is 0.

    >>> read_cache_control(b"max-age=60, no-transform")
    CacheControl(no_store=False, no_cache=False, max_age_s=60, only_if_cached=False)
    """
    stated: dict[str, str] = {}
    for directive in header.decode("latin-1").lower().split(","):
        name, _, value = directive.partition("=")
        stated.setdefault(name.strip(), value.strip().strip('"'))
    return CacheControl(
        no_store="no-store" in stated,
        no_cache="no-cache" in stated,
        max_age_s=_seconds(stated["max-age"]) if "max-age" in stated else None,
        only_if_cached="only-if-cached" in stated,
    )


def _seconds(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 12 else 0
