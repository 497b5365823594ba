"""One gateway: a server, a pipeline, a ledger, and the configuration that may change while it serves."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Final

from msgspec.structs import replace

from breakeven.catalog.negotiated import PriceConfig
from breakeven.errors import BreakevenError, Unavailable
from breakeven.gateway.admin import AdminApi
from breakeven.gateway.admin_access import AdminAccess
from breakeven.gateway.allowances import Allowances
from breakeven.gateway.answer_store import open_semantic, open_store
from breakeven.gateway.config import TAKEN_AT_ONCE, GatewayConfig, GatewaySettings
from breakeven.gateway.event_loop import settle_heap
from breakeven.gateway.health import Health
from breakeven.gateway.housekeeping import Housekeeping
from breakeven.gateway.http_server import HttpServer
from breakeven.gateway.limits import Limits
from breakeven.gateway.listening import Listening, Tls
from breakeven.gateway.metrics import Metrics
from breakeven.gateway.model_calls import COUNT_PATH, MODEL_PATH, ModelCalls
from breakeven.gateway.router import Router
from breakeven.gateway.routing_table import RoutingTable
from breakeven.gateway.traces import traces_to
from breakeven.gateway.upstream_report import UpstreamReport
from breakeven.gateway.upstream_set import UpstreamSet
from breakeven.ledger.sqlite_ledger import SqliteLedger
from breakeven.pipeline.pipeline import Pipeline
from breakeven.pipeline.remembered import Remembered
from breakeven.pipeline.routes import Routes
from breakeven.pipeline.shared import PipelineSettings, Shared
from breakeven.policy.decision import Operation
from breakeven.upstreams.codecs import ENDPOINTS

LOG = logging.getLogger("breakeven.gateway")

PATHS: Final[dict[Operation, str]] = {
    "chat": "/v1/chat/completions",
    "responses": "/v1/responses",
    "completions": "/v1/completions",
    "embeddings": "/v1/embeddings",
    "messages": "/v1/messages",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Configured:
    """What a configuration says, read and checked: it may replace another while the gateway serves."""

    config: GatewayConfig
    prices: PriceConfig


Reload = Callable[[], Configured]
"""Read the configuration again.

Raises:
    BreakevenError: it is wrong; the present one stays.
"""


class Gateway:
    """Serves until it is told to stop. Make it inside a running event loop; who opened the ledger closes it."""

    def __init__(self, configured: Configured, ledger: SqliteLedger, admin_secret: str, reload: Reload) -> None:
        settings = configured.config.gateway
        self._settings = settings
        self._ledger = ledger
        self._housekeeping = Housekeeping(ledger, settings.retention_days, self.tidy)
        self._reload = reload
        self._upstreams = UpstreamSet()
        self._tls: Tls | None = None
        self._cache = configured.config.cache
        self._allowances = Allowances()
        self.pipeline = Pipeline(Shared(ledger, self._routes(configured), _pipeline_settings(settings)))
        self._remember(configured)
        self._stopping = asyncio.Event()
        self._traces = traces_to(settings.otlp_endpoint)
        if self._traces is not None:
            ledger.observers.append(self._traces.observe)
        self.server = HttpServer(self._router(AdminAccess(admin_secret)), _limits(settings))

    async def run(self, at: Listening, ready: Callable[[str], None]) -> None:
        """Listen, serve until SIGTERM or SIGINT, then answer what is under way and stop; a second one ends it at once.

        ``ready`` is called with the URL once requests are answered; SIGHUP reads the configuration again.

        Raises:
            Unavailable: the address cannot be listened at.
        """
        self._tls = at.tls
        try:
            await self.server.listen(at.host, at.port, None if at.tls is None else at.tls.context)
        except OSError as error:
            raise Unavailable(
                f"cannot listen at {at.host}:{at.port}",
                cause=error.strerror,
                hint="breakeven serve --port N for another port, 0 for any that is free",
            ) from error
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop)
        loop.add_signal_handler(signal.SIGHUP, self.reload_or_log)
        settle_heap()
        bound_host, bound_port = self.server.addresses[0]
        ready(f"{at.scheme}://{bound_host}:{bound_port}")
        self._housekeeping.start()
        await self._stopping.wait()
        self._housekeeping.stop()
        await self._drain()

    def _stop(self) -> None:
        if self._stopping.is_set():
            self.pipeline.give_up()
        self._stopping.set()

    def reload(self) -> None:
        """Read the configuration again and let it take effect for the next requests; those under way keep theirs.

        Raises:
            BreakevenError: it is wrong; nothing has changed.
        """
        configured = self._reload()
        if self._tls is not None:
            self._tls.read()  # which says what is wrong before anything changes
        self._remember(configured)  # which says what is missing before anything changes
        self._allowances.look(self.pipeline.shared.routes.targets)
        self.pipeline.shared.routes = self._routes(configured, self.pipeline.under_way)
        if self._tls is not None:
            self._tls.renew()
        self._take_settings(configured.config.gateway)

    def _take_settings(self, settings: GatewaySettings) -> None:
        """Let those hold from here on that can, and say which cannot."""
        self._settings = replace(self._settings, **{name: getattr(settings, name) for name in TAKEN_AT_ONCE})
        self.pipeline.shared.use(_pipeline_settings(self._settings))
        self._housekeeping.retention_days = self._settings.retention_days
        self._metrics.public = self._settings.metrics_public
        later = [
            name
            for name in self._settings.__struct_fields__
            if getattr(settings, name) != getattr(self._settings, name)
        ]
        if later:
            LOG.warning("[gateway]: %s: take effect when the gateway is started again", ", ".join(later))

    async def tidy(self) -> None:
        """Let go what former configurations had and no request uses any more, and look what deployments add."""
        shared = self.pipeline.shared
        self._allowances.look(shared.routes.targets)
        shared.deployments.forget_all_but(shared.routes.deployments)
        await self._upstreams.close_unused(self.pipeline.under_way)

    def reload_or_log(self) -> None:
        """As `reload`; what is wrong goes to the log."""
        try:
            self.reload()
        except BreakevenError as error:
            LOG.error("the configuration is not taken: %s (%s)", error.message, error.cause or "no cause")
        else:
            LOG.info("the configuration was read again")

    async def _drain(self) -> None:
        self.server.begin_drain()
        if not await self.server.drained(self._settings.shutdown_s):
            self.pipeline.give_up()
            await asyncio.sleep(0)
        await self.close()

    async def close(self) -> None:
        """Close what the gateway opened: connections to upstreams, the cache, traces."""
        await self._upstreams.close()
        if self.pipeline.remembered is not None:
            await self.pipeline.remembered.close()
        if self._traces is not None:
            await asyncio.to_thread(self._traces.close)

    def _remember(self, configured: Configured) -> None:
        """Open the cache when it is first switched on; from then on it stays, whether or not a route has one.

        Raises:
            Unavailable: a model has answers to other wordings, and the embedding model is not installed.
        """
        settings = configured.config.cache
        if settings.enabled and self.pipeline.remembered is None:
            self.pipeline.remembered = Remembered(self.pipeline.shared, open_store(settings, self._ledger.path))
            self._cache = settings
        elif settings.enabled and settings.place != self._cache.place:
            LOG.warning("[cache]: its place and sizes take effect when the gateway is started again")
        remembered = self.pipeline.remembered
        if remembered is not None and remembered.other_wordings is None:
            store = remembered.memory.store
            remembered.other_wordings = open_semantic(configured.config, self._ledger.path, store)

    def _routes(self, configured: Configured, under_way: Iterable[str] = ()) -> Routes:
        config = configured.config
        upstreams = self._upstreams.of(config.upstreams)
        routes = RoutingTable(config, upstreams, configured.prices, self._allowances).routes()
        self._upstreams.adopt(config.upstreams, upstreams, under_way)
        return routes

    def _router(self, access: AdminAccess) -> Router:
        router = Router()
        upstreams = UpstreamReport(self.pipeline, self._upstreams)
        calls = ModelCalls(self.pipeline, self._traces)
        for operation, path in PATHS.items():
            router.add("POST", path, partial(calls.serve, ENDPOINTS[operation]))
        router.add("POST", COUNT_PATH, calls.count_tokens)
        router.add("GET", "/v1/models", calls.models)
        router.add("GET", f"{MODEL_PATH}*", calls.model)
        Health(self.pipeline, self._ledger, self._stopping.is_set).add_to(router)
        public = self._settings.metrics_public
        self._metrics = Metrics(self.pipeline, self._ledger, upstreams, access, public=public)
        self._metrics.add_to(router)
        AdminApi(self._ledger, access, upstreams, self.reload).add_to(router)
        return router


def _pipeline_settings(settings: GatewaySettings) -> PipelineSettings:
    return PipelineSettings(
        budget_wait_s=settings.budget_wait_s,
        drain_after_disconnect_s=settings.drain_after_disconnect_s,
        retry_within_s=settings.retry_within_s,
        most_attempts=settings.max_attempts,
    )


def _limits(settings: GatewaySettings) -> Limits:
    return Limits(
        body_bytes=settings.max_body_bytes,
        header_bytes=settings.max_header_bytes,
        connections=settings.max_connections,
        in_work=settings.max_requests_in_work,
    )
