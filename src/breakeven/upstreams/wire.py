"""What all wires have in common: a question read from a body, and an answer or a stream whose usage is found.

An `Endpoint` is what a client calls (``/v1/chat/completions``). A `Codec` says how a question of that endpoint is put
to an upstream, which may speak another wire, and how its answer becomes one of the endpoint again. Bodies stay bytes:
only the top level of a question is taken apart, and of an answer only what says its usage.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from msgspec import Raw

from breakeven.catalog.price_card import Processing
from breakeven.catalog.usage import Usage
from breakeven.policy.decision import Operation

WireName = Literal["openai", "anthropic", "echo"]
Fields = Mapping[str, Raw]
"""The top level of a JSON body: each value as the bytes that were sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What the gateway needs to know of a request's body.

    ``max_output_tokens`` is the client's own limit, None without one; ``choices`` how many answers it asks for
    (``n``); ``body_bytes`` bounds the input tokens, since a token is at least one byte of what was sent, images and
    files apart, which ``attachments`` counts. ``prefix`` begins the prompt and finds a deployment that has it cached.
    ``writes_cache`` is the longest that an Anthropic ``cache_control`` asks to keep it, since writing costs more.
    """

    operation: Operation
    fields: Fields
    model: str
    stream: bool
    max_output_tokens: int | None
    choices: int
    body_bytes: int
    attachments: int
    prefix: bytes
    writes_cache: Literal["", "5m", "1h"] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A whole answer as the client gets it, its usage and processing (OpenAI's service tier); None: not stated."""

    body: bytes
    usage: Usage | None
    processing: Processing | None = None


class AnswerStream(Protocol):
    """The events of one streamed answer on their way to the client.

    ``feed`` takes bytes as they come, cut anywhere, and gives those that may leave now. The event that tells the
    client that the answer is whole (``[DONE]``, ``message_stop``, ``response.completed``) is kept back in ``ending``,
    and ``ended`` becomes true: the ledger is written before it leaves. ``finish`` gives what is left where the upstream
    stopped without it. Unknown events pass untouched.
    """

    ended: bool
    ending: bytes

    def feed(self, data: bytes) -> bytes:
        """Take what came; give what may leave."""
        ...

    def finish(self) -> bytes:
        """What is left where the upstream stopped before the end."""
        ...

    def usage(self) -> Usage | None:
        """The usage that the upstream stated so far; None where it stated none."""
        ...

    def processing(self) -> Processing | None:
        """How the upstream says that it processed the request, which decides the price; None where it does not."""
        ...

    def delivered_tokens(self) -> int:
        """About how many output tokens were delivered, for an estimate where the usage never came.

        At least the number of events with text, and a quarter of the text's bytes.
        """
        ...


class Codec(Protocol):
    """One endpoint's questions on one upstream's wire."""

    path: str
    """Of the upstream, below its base URL: ``/chat/completions``."""

    def request(self, question: Question, model: str, output_limit: int | None) -> bytes:
        """The body to send: the question for ``model``, which also asks for the usage of a stream.

        ``output_limit`` is a limit of output tokens to set where the client stated none.
        """
        ...

    def answer(self, body: bytes) -> Answer:
        """An answer that is no stream; a body that cannot be read is passed on, without a usage."""
        ...

    def error_message(self, body: bytes) -> str:
        """What an error body of the upstream says, for a client of another wire."""
        ...

    def stream(self, question: Question) -> AnswerStream:
        """A reader of the streamed answer to a question."""
        ...


class Endpoint(Protocol):
    """What clients call: how its questions are read and how its errors look."""

    operation: Operation

    def question(self, body: bytes) -> Question:
        """Read a body.

        Raises:
            InputError: no JSON object, no model, or a field of the wrong kind.
        """
        ...

    def error(self, status: int, message: str, code: str) -> bytes:
        """A JSON error body in this wire's shape."""
        ...

    def stream_error(self, message: str, code: str) -> bytes:
        """An error event for a stream that has begun."""
        ...
