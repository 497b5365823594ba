"""What all wires have in common: a question read from a body, and an answer or a stream whose usage is found.

An `Endpoint` is what a client calls (``/v1/chat/completions``). A `Codec` says how a question of that endpoint is put
to an upstream, which may speak another wire, and how its answer becomes one of the endpoint again. Bodies stay bytes:
only the top level of a question is taken apart, and of an answer only what says its usage. What is made once a request
is a msgspec struct, a tenth of the cost of a frozen dataclass.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple, Protocol

from msgspec import Raw, Struct

from breakeven.catalog.usage import Usage
from breakeven.policy.decision import Operation

WireName = Literal["openai", "anthropic", "echo"]
Fields = Mapping[str, Raw]
"""The top level of a JSON body: each value as the bytes that were sent."""

ExtraKind = Literal["output_image_tokens", "web_searches", "us_inference"]
"""What a provider bills beside the tokens that a `Usage` counts, or dearer than them. Image tokens are counted in the
usage too, at the price of text, which is too little: they have a price of their own."""


class Extra(NamedTuple):
    """How much of something was used that no price card prices. ``us_inference`` is 1 where it applies."""

    kind: ExtraKind
    quantity: int


class Question(Struct, frozen=True, gc=False):
    """What the gateway needs to know of a request's body.

    ``max_output_tokens`` is the client's own limit, None without one; ``choices`` how many answers it asks for
    (``n``, times the prompts of a legacy completion); ``body_bytes`` bounds the input tokens, since a token is at least
    one byte of what was sent, images and files apart, which ``attachments`` counts. The bound fails where
    ``unseen_input``: the provider adds what it keeps or finds itself (an earlier response, a stored prompt, a search).
    ``processing`` is the service tier that was asked for, None without one; ``extras`` what will be billed beside the
    tokens. ``has_audio`` says that the prompt has audio in it, ``asks_audio`` that the answer may: any token of it may
    then be one of audio. ``prefix`` begins the prompt and finds a deployment that has it cached.
    """

    operation: Operation
    body: bytes
    fields: Fields
    model: str
    stream: bool
    max_output_tokens: int | None
    choices: int
    attachments: int
    unseen_input: bool
    processing: str | None
    extras: tuple[ExtraKind, ...]
    prefix: bytes
    has_audio: bool = False
    asks_audio: bool = False

    @property
    def body_bytes(self) -> int:
        """Length of the body as it was sent."""
        return len(self.body)


class Answer(Struct, frozen=True, kw_only=True, gc=False):
    """A whole answer as the client gets it, and its usage; None where the upstream stated none.

    ``processing`` is how the upstream says that it processed the request (``standard``, ``batch``, ``flex``,
    ``priority``, or its own word where there is no price card for it, such as ``fast``); None where it does not say.
    """

    body: bytes
    usage: Usage | None
    processing: str | None = None
    extras: tuple[Extra, ...] = ()


class AnswerStream(Protocol):
    """The events of one streamed answer on their way to the client.

    ``feed`` takes bytes as they come, cut anywhere, and gives those that may leave now. The event that tells the
    client that the answer is whole (``[DONE]``, ``message_stop``, ``response.completed``) is kept back in ``ending``,
    and ``ended`` becomes true: the ledger is written before it leaves. ``finish`` is called where the upstream stopped:
    it gives what is left and may still find the end. Unknown events pass untouched. ``failure`` is the message of an
    error event that passed, None without one.
    """

    ended: bool
    ending: bytes
    failure: str | None

    def feed(self, data: bytes) -> bytes:
        """Take what came; give what may leave."""
        ...

    def finish(self) -> bytes:
        """What is left where the upstream stopped, as whole events; one that was cut off is dropped, as clients do."""
        ...

    def usage(self) -> Usage | None:
        """The usage that the upstream stated so far; None where it stated none.

        Before the end it may be a beginning: the input, and of the output what was said to be there.
        """
        ...

    def processing(self) -> str | None:
        """As `Answer.processing`."""
        ...

    def extras(self) -> tuple[Extra, ...]:
        """As `Answer.extras`."""
        ...

    def delivered_tokens(self) -> int:
        """About how many output tokens were delivered, for an estimate where the usage never came.

        At least the number of events with text, and a quarter of the text's bytes.
        """
        ...


class Codec(Protocol):
    """One endpoint's questions on one upstream's wire."""

    @property
    def path(self) -> str:
        """Of the upstream, below its base URL: ``/chat/completions``."""
        ...

    @property
    def headers(self) -> Mapping[bytes, bytes]:
        """What the upstream's wire needs, unless the client sent it: ``anthropic-version``."""
        ...

    def request(self, question: Question, model: str, output_limit: int | None, /) -> bytes:
        """The body to send: the question for ``model``, which also asks for the usage of a stream.

        ``output_limit`` is a limit of output tokens to set where the client stated none.

        Raises:
            InputError: the upstream's wire cannot carry something that the question asks for.
        """
        ...

    def answer(self, question: Question, body: bytes, /) -> Answer:
        """An answer that is no stream, as the client gets it.

        Raises:
            Unavailable: what the upstream sent cannot be put in the endpoint's words, though it may be billed.
        """
        ...

    def refusal(self, status: int, body: bytes, /) -> bytes:
        """The body of an upstream's error (a status of 400 or more) as the client gets it."""
        ...

    def stream(self, question: Question, /) -> AnswerStream:
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

    def error(self, status: int, message: str, code: str, request_id: str = "", /) -> bytes:
        """A JSON error body in this wire's shape; ``code`` is for programs (``insufficient_quota``)."""
        ...

    def stream_error(self, message: str, code: str) -> bytes:
        """An error event for a stream that has begun."""
        ...
