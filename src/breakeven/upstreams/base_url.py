"""Where an upstream is: a base URL read once, and the addresses that a configuration may not reach."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network
from typing import Final
from urllib.parse import urlsplit

from breakeven.errors import ConfigError

Address = IPv4Address | IPv6Address

# Link-local ranges, and the addresses beside them at which clouds hand out the machine's own credentials: EC2 over
# IPv6, Alibaba Cloud, Azure's host. (EC2, Google and Azure over IPv4 are link-local.)
_METADATA: Final = tuple(
    ipaddress.ip_network(text)
    for text in ("169.254.0.0/16", "fe80::/10", "fd00:ec2::254/128", "100.100.100.200/32", "168.63.129.16/32")
)
_NAT64: Final = IPv6Network("64:ff9b::/96")
_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseUrl:
    """A base URL in its parts. ``path`` has no slash at the end; ``query`` begins with ``?`` or is empty.

    ``allow_insecure`` lets plain HTTP leave private networks; ``allow_link_local`` lets metadata addresses be reached.
    """

    tls: bool
    host: str
    port: int
    path: str
    query: str = ""
    allow_insecure: bool = False
    allow_link_local: bool = False

    @property
    def authority(self) -> str:
        """As the header ``host`` carries it: ``api.openai.com``, ``[::1]:8000``."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS["https" if self.tls else "http"] else f"{host}:{self.port}"

    def target(self, path: str) -> str:
        """The request target of a path below this URL: ``/v1/chat/completions``."""
        return f"{self.path}{path}{self.query}"

    def refusal(self, address: str) -> str | None:
        """Why this upstream may not be reached at an address, numeric as the resolver gave it; None where it may.

        A name is checked at what it resolves to, each time that a connection is made, so that a name whose answer
        changes reaches no more than an address written down.
        """
        found = _plain(ipaddress.ip_address(address.partition("%")[0]))
        if not self.allow_link_local and any(found in network for network in _METADATA):
            return f"{address} is a link-local or cloud metadata address"
        if not self.tls and not self.allow_insecure and found.is_global:
            return f"{address} is public, and plain http would show the credential and prompts to the network"
        return None


def _plain(address: Address) -> Address:
    """The IPv4 address within an IPv6 one that only carries it."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address in _NAT64:
            return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address


def read_base_url(text: str, *, allow_insecure: bool = False, allow_link_local: bool = False) -> BaseUrl:
    """Read a base URL; one without a path gets ``/v1``, any other path stays (Azure, Gemini).

    >>> read_base_url("http://localhost:8000").target("/chat/completions")
    '/v1/chat/completions'

    Raises:
        ConfigError: another scheme than http and https, a user name in it, a fragment, no host, a port that is none,
            or an address that ``refusal`` refuses.
    """
    url = _parts(text, allow_insecure=allow_insecure, allow_link_local=allow_link_local)
    try:
        reason = url.refusal(url.host)
    except ValueError:  # a name: checked at what it resolves to
        reason = None
    if reason is not None:
        raise ConfigError(
            f"the upstream {url.authority} is refused",
            cause=reason,
            hint="use https, or set allow_insecure (public) or allow_link_local (metadata) for this upstream",
        )
    return url


def _parts(text: str, *, allow_insecure: bool, allow_link_local: bool) -> BaseUrl:
    hint = 'write it as "https://api.openai.com/v1", its key in the variable that api_key_env names'
    try:
        split = urlsplit(text)
        port = split.port
    except ValueError:  # its text may hold a secret, which no message repeats
        raise ConfigError("the base URL of an upstream has no host and port to read", hint=hint) from None
    if split.scheme not in _PORTS or not split.hostname:
        raise ConfigError("the base URL of an upstream must be http://HOST or https://HOST", hint=hint)
    if "@" in split.netloc:
        raise ConfigError(f"the base URL of {split.hostname} carries a user name", cause="URLs are logged", hint=hint)
    if split.fragment or any(not "!" <= letter <= "~" for letter in text):
        raise ConfigError(f"the base URL of {split.hostname} has a fragment, a space or a letter to encode", hint=hint)
    return BaseUrl(
        tls=split.scheme == "https",
        host=split.hostname,
        port=port if port is not None else _PORTS[split.scheme],
        path=split.path.rstrip("/") or "/v1",
        query=f"?{split.query}" if split.query else "",
        allow_insecure=allow_insecure,
        allow_link_local=allow_link_local,
    )
