"""What the configuration says of the gateway: upstreams, models, limits; read strictly before it takes effect."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final, Literal

import msgspec

from breakeven.errors import ConfigError
from breakeven.gateway.cache_config import (
    CacheSettings,
    ModelCacheConfig,
    SemanticConfig,
    check_model_cache,
    check_semantic,
)
from breakeven.gateway.config_keys import unknown_key

Wire = Literal["openai", "anthropic", "echo"]

ECHO: Final = "echo"
TABLES: Final = ("upstreams", "models", "gateway", "cache")
"""Tables of the configuration file that are read here."""


class UpstreamConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One ``[[upstreams]]`` table.

    The secret comes from the variable ``api_key_env`` or the file ``api_key_file``, never from the table itself.
    ``provider`` is whose prices are paid; by default the host or the name says so, else the model's maker is assumed.
    ``input_usd_per_mtok`` and ``output_usd_per_mtok`` state a price for what no list has (0 for own hardware, which is
    paid by the hour); they are also the ceiling at which an unpriced model is charged.
    """

    name: str
    url: str = ""
    wire: Wire = "openai"
    provider: str = ""
    api_key_env: str = ""
    api_key_file: str = ""
    credential: Literal["", "bearer", "x-api-key", "api-key", "none"] = ""
    allow_insecure: bool = False
    allow_link_local: bool = False
    models: list[str] = []
    input_usd_per_mtok: Decimal | None = None
    output_usd_per_mtok: Decimal | None = None
    max_output_tokens: int = 16_384
    bytes_per_input_token: float = 1.0
    added_input_tokens: int = 512
    connect_timeout_s: float = 5.0
    first_byte_timeout_s: float = 120.0
    idle_timeout_s: float = 60.0
    max_connections: int = 1_000

    @classmethod
    def own_hardware(cls, name: str, url: str, models: list[str]) -> UpstreamConfig:
        """A server on hardware of one's own: nothing by the token, since the hardware is paid for by the hour."""
        free = Decimal(0)
        return cls(name=name, url=url, models=models, input_usd_per_mtok=free, output_usd_per_mtok=free)


class TargetConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One deployment of a model: an upstream, and the model's name there (the route's own where left out)."""

    upstream: str
    model: str = ""
    weight: float = 1.0
    max_output_tokens: int | None = None


class ModelConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One ``[[models]]`` table: a name that clients call.

    What is done to the bodies that are sent (``prompt_cache``, ``prompt_cache_ttl``, ``reduce``) is as in ``[gateway]``
    where it is left out here.
    """

    name: str
    targets: list[TargetConfig]
    fallbacks: list[TargetConfig] = []
    degrade_to: str | None = None
    prompt_cache: Literal["auto", "off"] | None = None
    prompt_cache_ttl: Literal["5m", "1h"] | None = None
    reduce: Literal["json", "off"] | None = None
    cache: ModelCacheConfig | None = None
    semantic: SemanticConfig | None = None


class GatewaySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The ``[gateway]`` table: limits and modes, in the units of their names.

    Those of `TAKEN_AT_ONCE` may change while the gateway serves; the others hold from one start to the next.

    Entries older than ``retention_days`` are deleted every hour; without it they are kept.
    ``/metrics`` is for this machine and the admin key unless ``metrics_public``. ``otlp_endpoint`` is where spans go
    (``http://127.0.0.1:4318/v1/traces``); without one none are made. ``prompt_cache``, ``prompt_cache_ttl`` and
    ``reduce`` are for every model that does not say otherwise.
    """

    ledger_unavailable: Literal["journal", "deny", "last-known"] = "journal"
    budget_wait_s: float = 30.0
    drain_after_disconnect_s: float = 30.0
    retry_within_s: float = 60.0
    max_attempts: int = 3
    max_body_bytes: int = 32 << 20
    max_header_bytes: int = 16_384
    max_connections: int = 10_000
    max_requests_in_work: int = 4_096
    shutdown_s: float = 30.0
    retention_days: int | None = None
    metrics_public: bool = False
    otlp_endpoint: str = ""
    prompt_cache: Literal["auto", "off"] = "auto"
    prompt_cache_ttl: Literal["5m", "1h"] = "5m"
    reduce: Literal["json", "off"] = "json"


TAKEN_AT_ONCE: Final = (
    "budget_wait_s",
    "drain_after_disconnect_s",
    "retry_within_s",
    "max_attempts",
    "retention_days",
    "metrics_public",
    "prompt_cache",
    "prompt_cache_ttl",
    "reduce",
)
"""Settings that hold as soon as the configuration is read again."""


class GatewayConfig(msgspec.Struct, frozen=True, kw_only=True):
    """All of it, checked: names are unique, and each one that is used is there."""

    upstreams: list[UpstreamConfig] = []
    models: list[ModelConfig] = []
    gateway: GatewaySettings = GatewaySettings()
    cache: CacheSettings = CacheSettings()

    def upstream(self, name: str) -> UpstreamConfig:
        """The upstream of this name."""
        return next(each for each in self.upstreams if each.name == name)


def read_config(tables: Mapping[str, Any]) -> GatewayConfig:
    """Read the gateway's tables of a configuration file.

    Raises:
        ConfigError: an unknown or missing key, a value of the wrong kind, or names that do not fit together.
    """
    own = {name: tables[name] for name in TABLES if name in tables}
    try:
        config = msgspec.convert(own, GatewayConfig, dec_hook=_decimal, strict=True)
    except msgspec.ValidationError as error:
        raise ConfigError(
            "the gateway's configuration is wrong",
            cause=unknown_key(own, GatewayConfig) or str(error),
            hint="docs/how-to/serve.md has every key",
        ) from error
    _check(config)
    return config


def upstream_of_argument(text: str) -> UpstreamConfig:
    """The upstream that ``--upstream`` states: ``NAME=URL``, or ``echo``.

    Raises:
        ConfigError: it is neither.
    """
    if text == ECHO:
        return UpstreamConfig(name=ECHO, wire="echo", provider=ECHO)
    name, _, url = text.partition("=")
    if not name or not url:
        raise ConfigError(
            f"{text!r} is no upstream",
            cause="an upstream is a name, = and the URL of a model server",
            hint="--upstream openai=https://api.openai.com, or --upstream echo",
        )
    wire: Wire = "anthropic" if "anthropic" in (name, *url.split("/")[2:3][0].split(".")) else "openai"
    return UpstreamConfig(name=name, url=url, wire=wire)


def _decimal(kind: type, value: Any) -> Any:
    if kind is Decimal and isinstance(value, int | float | str) and not isinstance(value, bool):
        return Decimal(str(value))
    raise NotImplementedError


def _check(config: GatewayConfig) -> None:
    for kind, names in (("upstreams", [u.name for u in config.upstreams]), ("models", [m.name for m in config.models])):
        twice = {name for name in names if names.count(name) > 1}
        if twice:
            raise ConfigError(f"{kind} has {', '.join(sorted(twice))} twice", hint="give each a name of its own")
    _check_models(config)
    config.cache.check()
    for upstream in config.upstreams:
        if upstream.wire != "echo" and not upstream.url:
            raise ConfigError(f"the upstream {upstream.name} has no url", hint='url = "https://api.openai.com/v1"')


def _check_models(config: GatewayConfig) -> None:
    upstreams = {each.name for each in config.upstreams}
    models = {each.name for each in config.models}
    for model in config.models:
        if not model.targets:
            raise ConfigError(f"the model {model.name} has no targets", hint="name an upstream under targets")
        for target in (*model.targets, *model.fallbacks):
            if target.upstream not in upstreams:
                raise ConfigError(
                    f"the model {model.name} names the upstream {target.upstream!r}, which is not there",
                    cause=f"there are {', '.join(sorted(upstreams)) or 'none'}",
                    hint="add it under [[upstreams]]",
                )
        if model.degrade_to is not None and model.degrade_to not in models:
            raise ConfigError(
                f"the model {model.name} degrades to {model.degrade_to!r}, which is not under [[models]]",
                hint="name one of " + ", ".join(sorted(models)),
            )
        if model.cache is not None:
            check_model_cache(model.name, model.cache)
        if model.semantic is not None:
            check_semantic(model.name, model.semantic, config.cache, model.cache)
