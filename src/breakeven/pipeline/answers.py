"""What the client is told: the answer with its cost, or the failure in the shape of its wire."""

from __future__ import annotations

from typing import Final

from breakeven.pipeline.attempt import Attempt
from breakeven.pipeline.call import Call
from breakeven.pipeline.passed_headers import passed_on
from breakeven.pipeline.reply import Reply

_JSON: Final = (b"content-type", b"application/json")
_NO_RETRY: Final = (b"x-should-retry", b"false")
_FAILURES: Final = {
    "busy": (503, "upstream_busy"),
    "connect": (502, "upstream_unreachable"),
    "connect_timeout": (504, "upstream_timeout"),
    "first_byte_timeout": (504, "upstream_timeout"),
    "idle_timeout": (504, "upstream_timeout"),
    "deadline": (504, "upstream_timeout"),
    "broken": (502, "upstream_broke_off"),
    "protocol": (502, "upstream_protocol_error"),
}


def cost_comment(cost_nano_usd: int) -> bytes:
    """The last line of a stream: a comment, which every reader of server-sent events leaves out."""
    return b": breakeven cost_nano_usd=%d\n\n" % cost_nano_usd


class Answerer:
    """Writes the end of one request to its client. Its cost is that of all its attempts."""

    __slots__ = ("_call", "_reply")

    def __init__(self, call: Call, reply: Reply) -> None:
        self._call, self._reply = call, reply

    def give(self, attempt: Attempt, cost_nano_usd: int) -> None:
        """Give a final answer, or the end of one that has begun."""
        relay = attempt.relay
        if attempt.answer is not None:
            headers = [*self._headers(attempt, cost_nano_usd), *passed_on(relay.headers)]
            self._reply.whole(relay.status, headers, attempt.answer.body)
            return
        stream = relay.stream
        if stream is None:  # the client has gone, and there is nobody to answer
            return
        if not relay.begun:
            self._reply.begin(relay.status, [*self._headers(attempt, None), *passed_on(relay.headers)])
        ending = stream.ending if stream.ended else self._broken_off(attempt)
        self._reply.end(ending + cost_comment(cost_nano_usd))

    def give_failure(self, attempt: Attempt, cost_nano_usd: int) -> None:
        """Tell of the last attempt's failure, of which the client has nothing yet."""
        relay = attempt.relay
        headers = self._headers(attempt, cost_nano_usd)
        if relay.failure is not None:
            status, code = _FAILURES[relay.failure.failure]
            if relay.failure.sent:  # it may be billed: the official clients would send, and pay, it twice more
                headers.append(_NO_RETRY)
            message = f"the upstream {attempt.target.name} did not answer: {relay.failure.message}"
        elif relay.status in (401, 403):
            status, code = 502, "upstream_refused_credential"
            headers.append(_NO_RETRY)
            message = f"the upstream {attempt.target.name} refused the gateway's own credential"
        elif relay.status >= 400:
            came = relay.body()
            body = attempt.codec.refusal(relay.status, came)
            passed = passed_on(relay.headers)
            if body is not came:  # in other words, which are JSON whatever the upstream's were
                passed = [_JSON, *(each for each in passed if each[0] != b"content-type")]
            self._reply.whole(relay.status, [*headers, *passed], body)
            return
        else:
            status, code = 502, "upstream_protocol_error"
            message = f"the upstream {attempt.target.name} answered with status {relay.status}"
        self._reply.whole(
            status, [*headers, _JSON], self._call.endpoint.error(status, message, code, self._call.request_id)
        )

    def _broken_off(self, attempt: Attempt) -> bytes:
        failure = attempt.relay.failure
        why = "the upstream ended the stream early" if failure is None else failure.message
        return self._call.endpoint.stream_error(why, "upstream_broke_off")

    def _headers(self, attempt: Attempt, cost_nano_usd: int | None) -> list[tuple[bytes, bytes]]:
        headers = [
            (b"x-breakeven-request-id", self._call.request_id.encode("ascii")),
            (b"x-breakeven-decision", attempt.decision.text.encode("utf-8")),
            *self._call.answer_headers,
        ]
        if cost_nano_usd is not None:
            headers.append((b"x-breakeven-cost-nano-usd", b"%d" % cost_nano_usd))
        return headers
