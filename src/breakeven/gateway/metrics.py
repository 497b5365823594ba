"""``/metrics`` for Prometheus: the ledger's totals and the state of the gateway, for those who may see them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from breakeven.errors import Unavailable
from breakeven.gateway.admin_access import AdminAccess, is_local
from breakeven.gateway.cache_metrics import CacheMoment
from breakeven.gateway.http_request import Request
from breakeven.gateway.json_answer import refuse
from breakeven.gateway.ledger_counters import LedgerCounters
from breakeven.gateway.metric_families import Moment, families
from breakeven.gateway.router import Router
from breakeven.gateway.upstream_report import UpstreamReport
from breakeven.ledger.sqlite_ledger import SqliteLedger
from breakeven.pipeline.pipeline import Pipeline
from breakeven.pipeline.refusal import Refusal
from breakeven.pipeline.reply import Reply
from breakeven.policy.budget import BudgetState


class Metrics:
    """Answers ``/metrics``: to this machine, to the admin key, and to everybody where it is public.

    Make it before the first request of the process. ``public`` may be changed.
    """

    def __init__(
        self, pipeline: Pipeline, ledger: SqliteLedger, upstreams: UpstreamReport, access: AdminAccess, *, public: bool
    ) -> None:
        self._pipeline, self._ledger, self._upstreams = pipeline, ledger, upstreams
        self._access, self.public = access, public
        self._counters = LedgerCounters(ledger)

    def add_to(self, router: Router) -> None:
        """Answer the path."""
        router.add("GET", "/metrics", self._metrics)

    def moment(self) -> Moment:
        """All numbers as they are now."""
        return Moment(
            counted=self._counters.counted(),
            health=self._ledger.health(),
            refusals=dict(self._pipeline.refusals),
            requests_under_way=self._pipeline.requests_under_way,
            budgets=self._budgets(),
            upstreams=self._upstreams.states(),
            cache=None if self._pipeline.remembered is None else CacheMoment.now(self._pipeline.remembered),
        )

    def _budgets(self) -> tuple[BudgetState, ...]:
        """Every budget; none while the ledger cannot be read, for other numbers still can be told."""
        try:
            self._ledger.look()
            return self._ledger.standings()
        except Unavailable:
            return ()

    async def _metrics(self, request: Request, reply: Reply) -> None:
        try:
            self._check(request)
        except Refusal as refusal:
            refuse(reply, refusal)
            return
        accepted = request.headers.get(b"accept", b"").decode("latin-1")
        body, content_type = await asyncio.to_thread(exposition, self.moment(), accepted)
        reply.whole(200, [(b"content-type", content_type.encode("ascii")), (b"cache-control", b"no-store")], body)

    def _check(self, request: Request) -> None:
        if self.public or is_local(request) or self._access.allows(request):
            return
        self._access.failed(request)
        raise Refusal(401, "invalid_admin_key", "/metrics is for this machine and the admin key (or metrics_public)")


def exposition(moment: Moment, accepted: str) -> tuple[bytes, str]:
    """A moment as text, in the best format that is accepted, and its content type."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    registry.register(_Families(moment))
    encode, content_type = choose_encoder(accepted)
    return encode(registry), content_type


class _Families(Collector):
    def __init__(self, moment: Moment) -> None:
        self._moment = moment

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterable[Metric]:
        return families(self._moment)
