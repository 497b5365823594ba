"""From the configuration to routes: each name that clients may call, with its deployments and their prices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from time import time_ns

from breakeven.catalog.negotiated import PriceConfig
from breakeven.errors import InputError, UnknownName
from breakeven.gateway.allowances import Allowances
from breakeven.gateway.cache_config import ModelCacheConfig, SemanticConfig
from breakeven.gateway.config import ECHO, GatewayConfig, GatewaySettings, ModelConfig, TargetConfig, UpstreamConfig
from breakeven.gateway.price_lookup import price_lookup, provider_of
from breakeven.pipeline.prices import TargetPrices
from breakeven.pipeline.routes import Routes
from breakeven.pipeline.target import BodyRules, Route, RouteCache, Target
from breakeven.policy.cache_key import Served, route_identity
from breakeven.upstreams.echo_prompt import echo_usage
from breakeven.upstreams.upstream import Upstream


class RoutingTable:
    """Makes routes out of a configuration and its upstreams."""

    def __init__(
        self,
        config: GatewayConfig,
        upstreams: Mapping[str, Upstream],
        prices: PriceConfig,
        allowances: Allowances,
    ) -> None:
        self._config = config
        self._upstreams = upstreams
        self._prices = prices
        self._allowances = allowances

    def routes(self) -> Routes:
        """Every model of the configuration; without one, any model that an upstream may have and that has a price.

        Raises:
            InputError: a configured deployment has no price.
        """
        configured = [
            self._route(
                model.name,
                self._targets(model, model.targets),
                fallbacks=self._targets(model, model.fallbacks),
                degrade_to=model.degrade_to,
                cache=model.cache,
                semantic=model.semantic,
            )
            for model in self._config.models
        ]
        listed = [
            self._route(name, tuple(self._target(each, name, TargetConfig(upstream=each.name)) for each in those))
            for name, those in self._listed().items()
            if name not in {route.model for route in configured}
        ]
        return Routes([*configured, *listed], self._resolve if self._open() else None)

    def _route(
        self,
        model: str,
        targets: tuple[Target, ...],
        *,
        fallbacks: tuple[Target, ...] = (),
        degrade_to: str | None = None,
        cache: ModelCacheConfig | None = None,
        semantic: SemanticConfig | None = None,
    ) -> Route:
        rule = self._config.cache.rule(cache)
        served = route_identity(map(self._served, targets))
        if rule is not None and rule.pure_tools:
            served += b" pure tools"  # a route that is no longer said to be so finds no answer that calls a tool
        remembers = None if rule is None else RouteCache(rule, served, (semantic or SemanticConfig()).rule())
        return Route(model=model, targets=targets, fallbacks=fallbacks, degrade_to=degrade_to, cache=remembers)

    def _served(self, target: Target) -> Served:
        """A deployment as what it answers depends on: another server by the same name, or other bodies, is another."""
        sent = "minified" if target.body_rules.minifies_json else "as it came"
        return Served(target.provider, f"{target.name} {self._config.upstream(target.name).url} {sent}", target.model)

    def _listed(self) -> dict[str, list[UpstreamConfig]]:
        """Models that upstreams list; the echo lists itself."""
        found: dict[str, list[UpstreamConfig]] = {}
        for upstream in self._config.upstreams:
            for name in [ECHO] if upstream.wire == "echo" else upstream.models:
                found.setdefault(name, []).append(upstream)
        return found

    def _open(self) -> list[UpstreamConfig]:
        """Upstreams that are asked for any model: those that list none, where the configuration names no models."""
        if self._config.models:
            return []
        return [each for each in self._config.upstreams if not each.models]

    def _resolve(self, model: str) -> Route:
        """The route of a model that was asked for by name: the first upstreams whose provider sells it.

        ``UPSTREAM/MODEL`` names the upstream.
        """
        now_ns = time_ns()
        head, slash, tail = model.partition("/")
        named = [each for each in self._open() if slash and each.name == head]
        refusals: list[InputError] = []
        for upstream in named or self._open():
            name = tail if named else model
            try:
                target = self._target(upstream, name, TargetConfig(upstream=upstream.name))
                target.prices.paid_card(now_ns)
            except InputError as error:
                refusals.append(error)
                continue
            return self._route(model, (target,))
        if refusals:
            raise refusals[0]
        raise UnknownName(f"no upstream serves {model!r}", hint="breakeven serve --upstream NAME=URL")

    def _targets(self, model: ModelConfig, targets: Sequence[TargetConfig]) -> tuple[Target, ...]:
        rules = _body_rules(model, self._config.gateway)
        made = tuple(
            self._target(self._config.upstream(each.upstream), each.model or model.name, each, rules)
            for each in targets
        )
        now_ns = time_ns()
        for target in made:
            target.prices.paid_card(now_ns)
        return made

    def _target(
        self, upstream: UpstreamConfig, model: str, stated: TargetConfig, rules: BodyRules | None = None
    ) -> Target:
        return Target(
            name=upstream.name,
            upstream=self._upstreams[upstream.name],
            model=model,
            provider=provider_of(upstream) or upstream.name,
            prices=TargetPrices(price_lookup(upstream, model, self._prices)),
            max_output_tokens=stated.max_output_tokens or upstream.max_output_tokens,
            bytes_per_input_token=upstream.bytes_per_input_token,
            exact_usage=echo_usage if upstream.wire == "echo" else None,
            weight=stated.weight,
            added=self._allowances.of(upstream, model),
            body_rules=rules or _body_rules(None, self._config.gateway),
        )


def _body_rules(model: ModelConfig | None, usual: GatewaySettings) -> BodyRules:
    """What a model's table says of the bodies that are sent, and what all of them have where it says nothing."""
    own = model or ModelConfig(name="", targets=[])
    return BodyRules(
        marks_cache=(own.prompt_cache or usual.prompt_cache) == "auto",
        cache_ttl=own.prompt_cache_ttl or usual.prompt_cache_ttl,
        minifies_json=(own.reduce or usual.reduce) == "json",
    )
