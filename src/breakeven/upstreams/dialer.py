"""How a connection is made: the name resolved, every address checked, TLS set up."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import Callable
from typing import TypeVar

from breakeven.upstreams.base_url import BaseUrl

AnyProtocol = TypeVar("AnyProtocol", bound=asyncio.Protocol)


class AddressRefused(OSError):
    """The configuration forbids the address that a name resolved to."""


class Dialer:
    """Makes connections to one upstream. An https one uses ``tls``, or the system's trusted certificates."""

    def __init__(self, url: BaseUrl, tls: ssl.SSLContext | None = None) -> None:
        self._url = url
        self._tls = (tls or ssl.create_default_context()) if url.tls else None

    async def connect(self, protocol: Callable[[], AnyProtocol]) -> AnyProtocol:
        """Connect to the first address that answers.

        Raises:
            OSError: none does, the name does not resolve, an address is refused, or TLS fails.
        """
        loop, url = asyncio.get_running_loop(), self._url
        found = await loop.getaddrinfo(url.host, url.port, type=socket.SOCK_STREAM)
        failed: OSError = OSError("the name has no address")
        for family, _, _, _, address in found:
            if (reason := url.refusal(str(address[0]))) is not None:
                raise AddressRefused(reason)
            try:
                _, made = await loop.create_connection(
                    protocol,
                    str(address[0]),
                    url.port,
                    family=family,
                    ssl=self._tls,
                    server_hostname=url.host if self._tls is not None else None,
                )
            except OSError as error:
                failed = error
            else:
                return made
        raise failed


def reason_of(error: OSError) -> str:
    """A connection's failure in a few words, the same on every event loop."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {error.reason or error}"
    if isinstance(error, socket.gaierror):
        return "its name does not resolve"
    return (os.strerror(error.errno) if error.errno else str(error) or type(error).__name__).lower()
