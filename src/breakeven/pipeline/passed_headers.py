"""Which headers of an upstream's answer go to the client."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

PASSED_ON: Final = (b"content-type", b"retry-after", b"x-request-id", b"request-id", b"x-should-retry")
"""Headers of an upstream that the client gets; the others speak of a connection or an account that are not its own."""
PASSED_PREFIXES: Final = (b"openai-", b"anthropic-")
_OURS: Final = (b"openai-organization", b"openai-project", b"anthropic-organization-id")


def passed_on(headers: Mapping[bytes, bytes]) -> list[tuple[bytes, bytes]]:
    """The headers of an upstream's answer that go to the client."""
    return [header for header in headers.items() if _is_passed_on(header[0])]


@lru_cache(maxsize=1024)
def _is_passed_on(name: bytes) -> bool:
    return name in PASSED_ON or (name.startswith(PASSED_PREFIXES) and name not in _OURS)
