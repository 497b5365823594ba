"""How the upstreams are now: their connections, and each deployment's breaker and what it has left."""

from __future__ import annotations

from dataclasses import dataclass
from time import monotonic

from breakeven.gateway.upstream_set import UpstreamSet
from breakeven.pipeline.pipeline import Pipeline
from breakeven.policy.breaker import BreakerState
from breakeven.upstreams.connection_pool import PoolCounts
from breakeven.upstreams.http_upstream import HttpUpstream
from breakeven.upstreams.upstream import Upstream
from breakeven.upstreams.wire import WireName


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentState:
    """A model at an upstream; requests and tokens left are None where the upstream never said."""

    model: str
    breaker: BreakerState
    requests_under_way: int
    requests_left: int | None
    tokens_left: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamState:
    """An upstream without its address and secret. ``connections`` is None where it has none (the echo).

    ``deployments`` are those that requests were sent to.
    """

    name: str
    wire: WireName
    connections: PoolCounts | None
    deployments: tuple[DeploymentState, ...]


class UpstreamReport:
    """Reads the state of the upstreams that serve now."""

    def __init__(self, pipeline: Pipeline, upstreams: UpstreamSet) -> None:
        self._pipeline, self._upstreams = pipeline, upstreams

    def states(self) -> tuple[UpstreamState, ...]:
        """Every upstream of the present configuration, in its order."""
        now_s = monotonic()
        return tuple(self._state(upstream, now_s) for upstream in self._upstreams.present)

    def _state(self, upstream: Upstream, now_s: float) -> UpstreamState:
        return UpstreamState(
            name=upstream.name,
            wire=upstream.wire,
            connections=upstream.counts if isinstance(upstream, HttpUpstream) else None,
            deployments=self._deployments(upstream.name, now_s),
        )

    def _deployments(self, upstream: str, now_s: float) -> tuple[DeploymentState, ...]:
        found = []
        for (name, model), state in sorted(self._pipeline.shared.deployments.states.items()):
            if name == upstream:
                requests_left, tokens_left = state.left(now_s)
                found.append(
                    DeploymentState(
                        model=model,
                        breaker=state.breaker.state(now_s),
                        requests_under_way=state.in_flight,
                        requests_left=requests_left,
                        tokens_left=tokens_left,
                    )
                )
        return tuple(found)
