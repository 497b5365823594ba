"""Which endpoints there are, and which of them an upstream's wire can serve."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from breakeven.policy.decision import Operation
from breakeven.upstreams.anthropic_messages import MessagesCodec, MessagesEndpoint
from breakeven.upstreams.chat_over_anthropic import ChatOverMessages
from breakeven.upstreams.messages_over_openai import MessagesOverChat
from breakeven.upstreams.openai_chat import ChatCodec, ChatEndpoint
from breakeven.upstreams.openai_completions import COMPLETIONS_CODEC, CompletionsEndpoint
from breakeven.upstreams.openai_embeddings import EmbeddingsCodec, EmbeddingsEndpoint
from breakeven.upstreams.openai_responses import ResponsesCodec, ResponsesEndpoint
from breakeven.upstreams.wire import Codec, Endpoint, WireName

ENDPOINTS: Final[Mapping[Operation, Endpoint]] = {
    "chat": ChatEndpoint(),
    "responses": ResponsesEndpoint(),
    "completions": CompletionsEndpoint(),
    "embeddings": EmbeddingsEndpoint(),
    "messages": MessagesEndpoint(),
}

_OPENAI: Final[Mapping[Operation, Codec]] = {
    "chat": ChatCodec(),
    "responses": ResponsesCodec(),
    "completions": COMPLETIONS_CODEC,
    "embeddings": EmbeddingsCodec(),
    "messages": MessagesOverChat(),
}
_ANTHROPIC: Final[Mapping[Operation, Codec]] = {"messages": MessagesCodec(), "chat": ChatOverMessages()}
_CODECS: Final[Mapping[WireName, Mapping[Operation, Codec]]] = {
    "openai": _OPENAI,
    "anthropic": _ANTHROPIC,
    "echo": {**_OPENAI, "messages": MessagesCodec()},
}


def codec_of(operation: Operation, wire: WireName) -> Codec | None:
    """How an endpoint's questions are put to an upstream of this wire; None where they cannot be."""
    return _CODECS[wire].get(operation)
