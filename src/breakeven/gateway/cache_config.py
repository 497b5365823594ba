"""What the configuration says of remembered answers: the ``[cache]`` table, and what a model says otherwise."""

from __future__ import annotations

import os
from typing import Final, Literal
from urllib.parse import urlsplit

import msgspec

from breakeven.cache.sqlite_store import DEFAULT_MAX_BYTES, DEFAULT_MEMORY_BYTES
from breakeven.cache.stores import is_server
from breakeven.errors import ConfigError
from breakeven.policy.cacheability import CacheRule
from breakeven.policy.semantic_rule import Mode, SemanticRule

_DEFAULT: Final = SemanticRule()

LONGEST_TTL_S: Final = 315_360_000.0
"""Ten years; no store counts time without an end."""


class ModelCacheConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a ``[[models]]`` table says under ``cache``; see `CacheRule`."""

    mode: Literal["deterministic", "always", "off"] = "deterministic"
    ttl_s: float | None = None
    max_temperature: float = 0.0
    pure_tools: bool = False


class SemanticConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a ``[[models]]`` table says under ``semantic``; see `SemanticRule`."""

    mode: Mode = "off"
    max_wrong_frac: float = _DEFAULT.max_wrong_frac
    similarity: float = _DEFAULT.similarity
    audit_frac: float = _DEFAULT.audit_frac

    def rule(self) -> SemanticRule:
        """The same as a value."""
        return SemanticRule(
            mode=self.mode,
            max_wrong_frac=self.max_wrong_frac,
            similarity=self.similarity,
            audit_frac=self.audit_frac,
        )


class CacheSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The ``[cache]`` table.

    It is off unless it is switched on, since it puts answers on this machine's disk, where the ledger has none.
    They are kept in ``file``, beside the ledger where that is empty, or at the ``url`` of a Valkey or Redis server. One
    with a password is in the variable ``url_env``, since no secret stands in the file.
    ``max_bytes`` bounds the file, ``memory_bytes`` what this process keeps of it.
    """

    enabled: bool = False
    ttl_s: float = 3_600.0
    max_bytes: int = DEFAULT_MAX_BYTES
    memory_bytes: int = DEFAULT_MEMORY_BYTES
    file: str = ""
    url: str = ""
    url_env: str = ""

    @property
    def server(self) -> str:
        """The URL of the server, stated or in its variable; empty where there is none."""
        return os.environ.get(self.url_env, "").strip() if self.url_env else self.url

    @property
    def place(self) -> tuple[str, str, int, int]:
        """Where answers are kept, and how many: what a store is opened with."""
        return self.file, self.server, self.max_bytes, self.memory_bytes

    def rule(self, model: ModelCacheConfig | None) -> CacheRule | None:
        """The rule of a model; None where none of its answers is remembered."""
        model = model or ModelCacheConfig()
        if not self.enabled or model.mode == "off":
            return None
        return CacheRule(
            ttl_s=self.ttl_s if model.ttl_s is None else model.ttl_s,
            always=model.mode == "always",
            max_temperature=model.max_temperature,
            pure_tools=model.pure_tools,
        )

    def check(self) -> None:
        """Refuse what cannot be meant.

        Raises:
            ConfigError: a time or size that is none, or two places at once.
        """
        if not 0 < self.ttl_s <= LONGEST_TTL_S:
            raise ConfigError(
                f"[cache] ttl_s = {self.ttl_s} is no time up to ten years", hint="enabled = false switches it off"
            )
        if self.max_bytes < 1 << 20 or self.memory_bytes < 1 << 20:
            raise ConfigError("[cache] max_bytes and memory_bytes are 1 MiB or more", hint="max_bytes = 1073741824")
        if sum(map(bool, (self.file, self.url, self.url_env))) > 1:
            raise ConfigError("[cache] has more than one of file, url and url_env", hint="leave all but one out")
        if self.url and not is_server(self.url):
            raise ConfigError(
                f"[cache] url = {self.url!r} is no Valkey or Redis server's", hint='url = "valkey://host"'
            )
        if urlsplit(self.url).password:
            raise ConfigError(
                "[cache] url has a password in it",
                cause="secrets are in variables or files, never in the configuration",
                hint='url_env = "CACHE_URL", with the whole URL in that variable',
            )
        if self.url_env and not is_server(self.server):
            raise ConfigError(
                f"[cache] url_env names {self.url_env}, which has no Valkey or Redis server's URL",
                hint=f"export {self.url_env}=valkey://user:password@host",
            )


def check_model_cache(name: str, model: ModelCacheConfig) -> None:
    """Refuse what a model cannot mean.

    Raises:
        ConfigError: a time or temperature that is none.
    """
    if model.ttl_s is not None and not 0 < model.ttl_s <= LONGEST_TTL_S:
        raise ConfigError(
            f"the model {name} has cache ttl_s = {model.ttl_s}, no time up to ten years",
            hint='mode = "off" remembers nothing',
        )
    if not 0 <= model.max_temperature <= 2:
        raise ConfigError(f"the model {name} has max_temperature = {model.max_temperature}", hint="0 to 2")


def check_semantic(name: str, semantic: SemanticConfig, cache: CacheSettings, model: ModelCacheConfig | None) -> None:
    """Refuse what a model cannot mean by answers to other wordings.

    Raises:
        ConfigError: a share or similarity that is none, or no cache to take answers from.
    """
    if not 0 < semantic.max_wrong_frac < 1:
        raise ConfigError(
            f"the model {name} has semantic max_wrong_frac = {semantic.max_wrong_frac}",
            cause="that no served answer is wrong cannot be promised",
            hint="max_wrong_frac = 0.01",
        )
    if not -1 <= semantic.similarity <= 1:
        raise ConfigError(f"the model {name} has semantic similarity = {semantic.similarity}", hint="-1 to 1")
    if not 0 < semantic.audit_frac <= 1:
        raise ConfigError(
            f"the model {name} has semantic audit_frac = {semantic.audit_frac}",
            cause="without an audit nobody would know that answers went bad",
            hint="audit_frac = 0.05",
        )
    if semantic.mode != "off" and cache.rule(model) is None:
        raise ConfigError(
            f"the model {name} has semantic answers and no cache to take them from",
            hint='[cache] enabled = true, and no cache = { mode = "off" } for the model',
        )
