"""Where spans of requests go, if anywhere: the seam to OpenTelemetry, which is loaded only where it is configured."""

from __future__ import annotations

from typing import Protocol

from breakeven.errors import Unavailable
from breakeven.ledger.entry import LedgerEntry
from breakeven.pipeline.call import Call


class Traces(Protocol):
    """Hears of every request that was let in, of its attempts, and of its end."""

    def begin(self, call: Call) -> Call:
        """A request begins. Gives it with the headers by which its upstream continues the trace."""
        ...

    def observe(self, entry: LedgerEntry) -> None:
        """An attempt was settled."""
        ...

    def end(self, request_id: str, refusal: str | None) -> None:
        """A request has ended; ``refusal`` is the code where it was not served."""
        ...

    def close(self) -> None:
        """Send what is left. May wait for the network."""
        ...


def traces_to(endpoint: str) -> Traces | None:
    """Traces that are sent to an OTLP endpoint over HTTP; None where the endpoint is empty.

    Raises:
        Unavailable: OpenTelemetry is not installed.
    """
    if not endpoint:
        return None
    try:
        from breakeven.gateway.otlp_spans import otlp_spans  # noqa: PLC0415 - an optional part
    except ImportError as error:
        raise Unavailable(
            "spans cannot be sent: OpenTelemetry is not installed",
            cause=str(error),
            hint="pip install 'breakeven[otel]', or leave otlp_endpoint out",
        ) from error
    return otlp_spans(endpoint)
