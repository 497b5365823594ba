"""OpenAI's embeddings: input tokens only, and no stream."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import msgspec

from breakeven.errors import InputError
from breakeven.policy.decision import Operation
from breakeven.upstreams.openai_chat import ChatStream, OpenAIErrors, answer_of
from breakeven.upstreams.question_fields import (
    flag_field,
    model_field,
    read_fields,
    require_field,
    rewritten,
)
from breakeven.upstreams.usage_fields import EmbeddingsAnswer, Reader
from breakeven.upstreams.usage_shapes import NOTHING_REPORTED, embeddings_reported
from breakeven.upstreams.wire import Answer, Question

_ANSWER: Final = Reader(EmbeddingsAnswer)


class EmbeddingsEndpoint(OpenAIErrors):
    """``POST /v1/embeddings``."""

    operation: Operation = "embeddings"

    def question(self, body: bytes) -> Question:
        """Read a body.

        Raises:
            InputError: no JSON object, no model, no input, or a field of the wrong kind.
        """
        fields = read_fields(body)
        require_field(fields, "input", b'"[', "a string or an array")
        if flag_field(fields, "stream"):
            raise InputError("embeddings are not streamed")
        return Question(
            operation=self.operation,
            body=body,
            fields=fields,
            model=model_field(fields),
            stream=False,
            max_output_tokens=0,
            choices=1,
            attachments=0,
            unseen_input=False,
            processing=None,
            extras=(),
            prefix=b"",  # nothing of an embedding is kept for the next one
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingsCodec:
    """Embeddings of an upstream that speaks OpenAI's wire."""

    path: str = "/embeddings"
    headers: Mapping[bytes, bytes] = field(default_factory=dict)

    def request(self, question: Question, model: str, _output_limit: int | None, /) -> bytes:
        """The body to send; there is no output to limit."""
        return rewritten(question, {} if model == question.model else {"model": msgspec.json.encode(model)})

    def answer(self, _question: Question, body: bytes, /) -> Answer:
        """The embeddings, as they came."""
        told = _ANSWER.read(body)
        return answer_of(body, NOTHING_REPORTED if told is None else embeddings_reported(told))

    def stream(self, question: Question, /) -> ChatStream:
        """There is none.

        Raises:
            InputError: always.
        """
        raise InputError(f"{question.operation} are not streamed")

    def refusal(self, _status: int, body: bytes, /) -> bytes:
        """An upstream's error, as it came."""
        return body
