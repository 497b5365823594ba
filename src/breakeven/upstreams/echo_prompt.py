"""What the echo model reads of a question: the text that it says back, and exactly how many tokens that is.

A token is up to six letters or digits with the space before them, one other sign with the space before it, or one
white space. So no token is less than a byte of the body, and a budget's hold on an echo is its cost, not a bound.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, get_type_hints

import msgspec
from msgspec import Raw, Struct

from breakeven.catalog.usage import Usage
from breakeven.errors import InputError
from breakeven.policy.decision import Operation
from breakeven.upstreams.question_fields import MALFORMED
from breakeven.upstreams.wire import Fields, Question

MESSAGE_TOKENS: Final = 4
"""What a message costs beside its text: its role and its bounds."""

MOST_CHOICES: Final = 128
DIMENSIONS: Final = 256
MOST_DIMENSIONS: Final = 4096

_WITH_CHOICES: Final = frozenset({"chat", "completions"})
_TOKEN: Final = re.compile(r" ?\w{1,6}| ?[^\w\s]|\s")


class _Part(Struct):
    text: str = ""
    content: str | list[_Part] | None = None


class _Message(Struct):
    role: str = ""
    content: str | list[_Part] | None = None
    output: str | list[_Part] | None = None
    arguments: str = ""
    tool_calls: Raw = Raw(b"")

    def text(self) -> str:
        """All that the message says, tool calls as they are written."""
        return _text(self.content) + _text(self.output) + self.arguments + bytes(self.tool_calls).decode()


class _StreamOptions(Struct):
    include_usage: bool | None = None


_Ids = list[int]
_Messages = list[_Message]
_Texts = list[str | int | _Ids]


class _Settings(Struct):
    """The fields that are read, of all endpoints."""

    model: str = ""
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    n: int | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    max_output_tokens: int | None = None
    dimensions: int | None = None
    encoding_format: str | None = None
    instructions: str | None = None
    system: str | list[_Part] | None = None
    tools: Raw = Raw(b"")
    messages: _Messages | None = None
    prompt: str | _Texts | None = None
    input: Raw = Raw(b"")


_FIELDS: Final = {name: msgspec.json.Decoder(kind) for name, kind in get_type_hints(_Settings).items()}
_ITEMS: Final = msgspec.json.Decoder(str | _Messages)
_TEXTS: Final = msgspec.json.Decoder(str | _Texts)


@dataclass(frozen=True, slots=True, kw_only=True)
class EchoPrompt:
    """A question as the echo model understands it: the texts to say back, each ``choices`` times."""

    model: str
    stream: bool
    shows_usage: bool
    input_tokens: int
    texts: tuple[str, ...]
    choices: int
    limit: int | None
    dimensions: int
    base64: bool

    def answers(self) -> list[EchoAnswer]:
        """What is said, in the order of the choices."""
        return [answer for text in self.texts for answer in [_cut(text, self.limit)] * self.choices]


@dataclass(frozen=True, slots=True, kw_only=True)
class EchoAnswer:
    """A text that is said back, as tokens; ``cut`` where the limit ended it."""

    tokens: tuple[str, ...]
    cut: bool

    @property
    def text(self) -> str:
        """The text of the tokens."""
        return "".join(self.tokens)


def split_tokens(text: str) -> list[str]:
    """The tokens of a text, which join to it again.

    >>> split_tokens("Hello, wonderful world!")
    ['Hello', ',', ' wonder', 'ful', ' world', '!']
    """
    return _TOKEN.findall(text)


def echo_usage(question: Question, output_limit: int | None = None) -> Usage:
    """Exactly what the echo model will report for a question: `Usage`, before it is asked.

    ``output_limit`` is the limit that the codec sets where the client stated none.

    Raises:
        InputError: the echo model cannot read the question, and will answer 400.
    """
    prompt = read_prompt(question.operation, question.fields, output_limit)
    if question.operation == "embeddings":
        return Usage(input_tokens=prompt.input_tokens)
    output = sum(len(answer.tokens) for answer in prompt.answers())
    return Usage(input_tokens=prompt.input_tokens, output_tokens=output)


def read_prompt(operation: Operation, fields: Fields, output_limit: int | None = None) -> EchoPrompt:
    """Read the fields of a body.

    Raises:
        InputError: a field of the wrong kind, no text, or a number out of range.
    """
    try:
        asked = _Settings(**{name: kind.decode(fields[name]) for name, kind in _FIELDS.items() if name in fields})
        texts, input_tokens = _said(operation, asked)
    except MALFORMED as error:
        raise InputError(f"the echo model cannot read the request: {error}") from None
    limits = (asked.max_tokens, asked.max_completion_tokens, asked.max_output_tokens)
    stated = [limit for limit in limits if limit is not None]
    choices = 1 if asked.n is None else asked.n
    if min(stated, default=0) < 0 or not 1 <= choices <= MOST_CHOICES:
        raise InputError("a limit below zero, or n out of range", cause=f"n is from 1 to {MOST_CHOICES}")
    if not 1 <= (asked.dimensions or DIMENSIONS) <= MOST_DIMENSIONS:
        raise InputError("dimensions out of range", cause=f"they are from 1 to {MOST_DIMENSIONS}")
    return EchoPrompt(
        model=asked.model,
        stream=bool(asked.stream) and operation != "embeddings",
        shows_usage=asked.stream_options is not None and bool(asked.stream_options.include_usage),
        input_tokens=input_tokens,
        texts=texts,
        choices=choices if operation in _WITH_CHOICES else 1,
        limit=max(stated, default=output_limit),
        dimensions=asked.dimensions or DIMENSIONS,
        base64=asked.encoding_format == "base64",
    )


def _said(operation: Operation, asked: _Settings) -> tuple[tuple[str, ...], int]:
    """The texts to say back, and the tokens of everything that was said."""
    if operation in {"completions", "embeddings"}:
        prompt = _TEXTS.decode(asked.input) if operation == "embeddings" else asked.prompt
        texts = _alone(prompt if prompt is not None else "")
        return texts, sum(map(_count, texts))
    items = _ITEMS.decode(asked.input) if operation == "responses" else asked.messages
    messages = [_Message(role="user", content=items)] if isinstance(items, str) else items or []
    if not messages:
        raise InputError("the request has no messages")
    rest = (asked.instructions or "", _text(asked.system), bytes(asked.tools).decode())
    spoken = [message.text() for message in messages]
    asked_last = [text for message, text in zip(messages, spoken, strict=True) if message.role == "user"]
    total = sum(map(_count, (*rest, *spoken))) + MESSAGE_TOKENS * len(messages)
    return (asked_last[-1] if asked_last else spoken[-1],), total


def _alone(prompt: str | _Texts) -> tuple[str, ...]:
    """The texts of a prompt: one, several, or token ids, which are shown as numbers."""
    if isinstance(prompt, str):
        return (prompt,)
    if prompt and all(isinstance(each, int) for each in prompt):
        return (" ".join(map(str, prompt)),)
    return tuple(
        each if isinstance(each, str) else " ".join(map(str, [each] if isinstance(each, int) else each))
        for each in prompt
    )


def _text(content: str | list[_Part] | None) -> str:
    if content is None or isinstance(content, str):
        return content or ""
    return "".join(part.text + _text(part.content) for part in content)


def _count(text: str) -> int:
    return len(split_tokens(text))


def _cut(text: str, limit: int | None) -> EchoAnswer:
    tokens = split_tokens(text)
    cut = limit is not None and limit < len(tokens)
    return EchoAnswer(tokens=tuple(tokens[:limit] if cut else tokens), cut=cut)
