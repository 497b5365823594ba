"""How a connection is made: the name resolved, every address checked, TLS set up."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import Callable
from functools import cache
from typing import Final, TypeVar

from breakeven.upstreams.base_url import BaseUrl

_NEXT_ADDRESS_S: Final = 1.0
"""How long an address may take before the next one is tried: one of two networks may lead nowhere."""

AnyProtocol = TypeVar("AnyProtocol", bound=asyncio.Protocol)


@cache
def _trusting() -> ssl.SSLContext:
    """The system's trusted certificates: milliseconds and megabytes to read, so once for all upstreams."""
    return ssl.create_default_context()


class AddressRefused(OSError):
    """The configuration forbids the address that a name resolved to."""


class Dialer:
    """Makes connections to one upstream. An https one uses ``tls``, or the system's trusted certificates."""

    def __init__(self, url: BaseUrl, tls: ssl.SSLContext | None = None) -> None:
        self._url = url
        self._tls = (tls or _trusting()) if url.tls else None

    async def addresses(self) -> list[str]:
        """What the name resolves to now, in the resolver's order of preference.

        Raises:
            OSError: it does not.
        """
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(self._url.host, self._url.port, type=socket.SOCK_STREAM)
        except UnicodeError:  # a label that is empty or too long
            raise OSError("its name cannot be looked up") from None
        return [str(address[0]) for _, _, _, _, address in found]

    async def connect(self, protocol: Callable[[], AnyProtocol]) -> AnyProtocol:
        """Connect to the first address that answers.

        Raises:
            OSError: none does, the name does not resolve, an address is refused, or TLS fails.
        """
        failed = OSError("its name has no address")
        addresses = await self.addresses()
        for place, address in enumerate(addresses, start=1):
            if (reason := self._url.refusal(address)) is not None:
                raise AddressRefused(reason)
            try:
                async with asyncio.timeout(_NEXT_ADDRESS_S if place < len(addresses) else None):
                    return await self._connect_to(address, protocol)
            except OSError as error:  # a TimeoutError is one
                failed = error
        raise failed

    async def _connect_to(self, address: str, protocol: Callable[[], AnyProtocol]) -> AnyProtocol:
        _, made = await asyncio.get_running_loop().create_connection(
            protocol,
            address,
            self._url.port,
            ssl=self._tls,
            server_hostname=self._url.host if self._tls is not None else None,
        )
        return made


def reason_of(error: OSError) -> str:
    """A connection's failure in a few words, the same on every event loop."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {error.reason or error}"
    if isinstance(error, socket.gaierror):
        return "its name does not resolve"
    return (os.strerror(error.errno) if error.errno else str(error) or type(error).__name__).lower()
