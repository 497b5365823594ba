"""``GET /admin/upstreams`` and ``POST /admin/reload``: what serves now, and taking the configuration anew."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from breakeven.errors import BreakevenError
from breakeven.gateway.admin_endpoint import Asked, Endpoint, Given
from breakeven.gateway.upstream_report import UpstreamReport, UpstreamState
from breakeven.pipeline.refusal import Refusal


class Upstreams(msgspec.Struct, frozen=True, kw_only=True):
    """Every upstream of the present configuration."""

    upstreams: tuple[UpstreamState, ...]


class Reloaded(msgspec.Struct, frozen=True, kw_only=True):
    """The names of the upstreams that serve from now on."""

    upstreams: tuple[str, ...]


class AdminUpstreams:
    """The endpoints of upstreams and the configuration."""

    def __init__(self, report: UpstreamReport, reload: Callable[[], None]) -> None:
        self._report, self._reload = report, reload

    def endpoints(self) -> tuple[Endpoint, ...]:
        """What is answered."""
        return (
            Endpoint(
                method="GET",
                path="/admin/upstreams",
                summary="Upstreams: connections, and each deployment's breaker and what it has left; no secrets",
                handle=self._get,
                schema="Upstreams",
            ),
            Endpoint(
                method="POST",
                path="/admin/reload",
                summary="Read the configuration again; where it is wrong, nothing changes and the answer says what is",
                handle=self._read_again,
                schema="Reloaded",
                refusals=(422,),
            ),
        )

    async def _get(self, asked: Asked) -> Given:
        del asked
        return Given(200, Upstreams(upstreams=self._report.states()))

    async def _read_again(self, asked: Asked) -> Given:
        """Routes are swapped between two steps of the event loop; requests under way keep theirs."""
        del asked
        try:
            self._reload()
        except BreakevenError as error:
            cause = f" ({error.cause})" if error.cause else ""
            raise Refusal(422, "invalid_configuration", f"{error.message}{cause}; nothing has changed") from error
        return Given(200, Reloaded(upstreams=tuple(state.name for state in self._report.states())))
