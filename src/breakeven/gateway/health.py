"""Whether the process lives (``/healthz``) and whether requests should be sent to it now (``/readyz``)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, Literal

import msgspec

from breakeven.gateway.http_request import Request
from breakeven.gateway.router import Router
from breakeven.ledger.sqlite_ledger import SqliteLedger
from breakeven.pipeline.pipeline import Pipeline
from breakeven.pipeline.reply import Reply

ReasonCode = Literal["stopping", "no_route", "ledger_unavailable", "ledger_backlog", "ledger_degraded"]

_HEADERS: Final = ((b"content-type", b"application/json"), (b"cache-control", b"no-store"))
_ALIVE: Final = b'{"status":"ok"}'


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """Why the gateway is not ready, or (``blocks`` false) is ready with less than all of its promises."""

    code: ReasonCode
    message: str
    blocks: bool


class Readiness(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of ``/readyz``. It names no file and no upstream: anybody may ask."""

    ready: bool
    reasons: list[Reason]


class Health:
    """Answers ``/healthz`` and ``/readyz``."""

    def __init__(self, pipeline: Pipeline, ledger: SqliteLedger, stopping: Callable[[], bool]) -> None:
        self._pipeline, self._ledger, self._stopping = pipeline, ledger, stopping

    def add_to(self, router: Router) -> None:
        """Answer both paths."""
        router.add("GET", "/healthz", self._healthz)
        router.add("GET", "/readyz", self._readyz)

    def readiness(self) -> Readiness:
        """Whether requests should come here now, and what speaks against it."""
        reasons = [*self._own_reasons(), *self._ledger_reasons()]
        return Readiness(ready=not any(reason.blocks for reason in reasons), reasons=reasons)

    def _own_reasons(self) -> Iterator[Reason]:
        if self._stopping():
            yield Reason(code="stopping", message="the gateway answers what is under way, and stops", blocks=True)
        if self._pipeline.shared.routes.is_empty:
            yield Reason(code="no_route", message="no upstream and no model is configured", blocks=True)

    def _ledger_reasons(self) -> Iterator[Reason]:
        """In the modes that go on without SQLite the gateway is ready until too many rows wait for it."""
        health = self._ledger.health()
        if health.failure is None:
            return
        if not health.refuses:
            message = f"the ledger cannot be written; rows go to the journal ({health.backlog_rows:,} wait)"
            yield Reason(code="ledger_degraded", message=message, blocks=False)
        elif health.mode == "deny":
            message = "the ledger cannot be written, and no request is sent without it"
            yield Reason(code="ledger_unavailable", message=message, blocks=True)
        else:
            message = f"the ledger cannot be written, and {health.backlog_rows:,} rows wait for it"
            yield Reason(code="ledger_backlog", message=message, blocks=True)

    async def _healthz(self, request: Request, reply: Reply) -> None:
        del request
        reply.whole(200, _HEADERS, _ALIVE)

    async def _readyz(self, request: Request, reply: Reply) -> None:
        del request
        readiness = self.readiness()
        reply.whole(200 if readiness.ready else 503, _HEADERS, msgspec.json.encode(readiness))
