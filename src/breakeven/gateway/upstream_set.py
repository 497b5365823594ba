"""The upstreams of a configuration, made once and kept while what is said of them stays the same."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence, Set
from pathlib import Path

from breakeven.errors import ConfigError
from breakeven.gateway.config import UpstreamConfig
from breakeven.upstreams.base_url import read_base_url
from breakeven.upstreams.connection_pool import PoolLimits
from breakeven.upstreams.credential import Credential, CredentialKind
from breakeven.upstreams.echo import EchoUpstream
from breakeven.upstreams.http_upstream import HttpUpstream
from breakeven.upstreams.upstream import Timeouts, Upstream


class UpstreamSet:
    """Upstreams by name. A new configuration keeps the connections of those that it does not change."""

    def __init__(self) -> None:
        self._made: dict[str, tuple[UpstreamConfig, Upstream]] = {}
        self._retired: list[tuple[Upstream, frozenset[str]]] = []

    def of(self, configs: Sequence[UpstreamConfig]) -> Mapping[str, Upstream]:
        """The upstreams of these configurations, kept or new; nothing has changed until they are adopted.

        Raises:
            ConfigError: an address that is refused, or a secret that is not there.
        """
        return {each.name: self._kept(each) or make_upstream(each) for each in configs}

    def adopt(
        self, configs: Sequence[UpstreamConfig], upstreams: Mapping[str, Upstream], under_way: Iterable[str] = ()
    ) -> None:
        """Let what `of` gave be the present ones. Those that are left out serve on for the requests ``under_way``.

        Any of these may still send to them, now or in another attempt; requests that begin later cannot.
        """
        now, users = {id(upstream) for upstream in upstreams.values()}, frozenset(under_way)
        self._retired += [(upstream, users) for upstream in self.present if id(upstream) not in now]
        self._made = {each.name: (each, upstreams[each.name]) for each in configs}

    @property
    def present(self) -> tuple[Upstream, ...]:
        """The upstreams of the present configuration."""
        return tuple(upstream for _, upstream in self._made.values())

    async def close_unused(self, under_way: Set[str]) -> None:
        """Close those that were left out and whose last request has ended: none of theirs is ``under_way``."""
        unused = [each for each in self._retired if each[1].isdisjoint(under_way)]
        self._retired = [each for each in self._retired if each not in unused]
        for upstream, _ in unused:
            await upstream.close()

    async def close(self) -> None:
        """Close every connection, also of those that a later configuration left out."""
        for upstream in (*(upstream for upstream, _ in self._retired), *self.present):
            await upstream.close()

    def _kept(self, config: UpstreamConfig) -> Upstream | None:
        known, upstream = self._made.get(config.name, (None, None))
        if known != config:
            return None
        # Nor is it kept where its file holds another secret by now.
        same = not isinstance(upstream, HttpUpstream) or upstream.credential == _credential(config)
        return upstream if same else None


def make_upstream(config: UpstreamConfig) -> Upstream:
    """One upstream, its secret read from where the configuration says.

    Raises:
        ConfigError: an address that is refused, or a secret that is not there.
    """
    if config.wire == "echo":
        return EchoUpstream(config.name)
    return HttpUpstream(
        config.name,
        config.wire,
        read_base_url(config.url, allow_insecure=config.allow_insecure, allow_link_local=config.allow_link_local),
        _credential(config),
        Timeouts(
            connect_s=config.connect_timeout_s,
            first_byte_s=config.first_byte_timeout_s,
            idle_s=config.idle_timeout_s,
        ),
        PoolLimits(max_connections=config.max_connections),
    )


def _credential(config: UpstreamConfig) -> Credential:
    secret = _secret(config)
    if not secret:
        return Credential()
    usual: CredentialKind = "x-api-key" if config.wire == "anthropic" else "bearer"
    if ".azure.com" in config.url:
        usual = "api-key"
    return Credential(kind=config.credential or usual, secret=secret)


def _secret(config: UpstreamConfig) -> str:
    """The upstream's secret; empty where nothing says that there is one."""
    if config.api_key_file:
        try:
            return Path(config.api_key_file).read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(
                f"cannot read the key of the upstream {config.name}",
                cause=f"{config.api_key_file}: {error}",
                hint="correct api_key_file, or use api_key_env",
            ) from error
    if config.api_key_env:
        if not os.environ.get(config.api_key_env):
            raise ConfigError(
                f"the upstream {config.name} has no key",
                cause=f"the variable {config.api_key_env} is not set",
                hint=f"export {config.api_key_env}=...",
            )
        return os.environ[config.api_key_env].strip()
    usual = f"{config.name.upper().replace('-', '_')}_API_KEY"
    return os.environ.get(usual, "").strip()
