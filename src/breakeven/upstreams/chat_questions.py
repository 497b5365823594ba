"""A chat question as it is read to be put to another wire: messages, tools and choices, typed."""

from __future__ import annotations

from typing import Any, Final, TypeVar

import msgspec
from msgspec import Raw, Struct

from breakeven.errors import InputError
from breakeven.upstreams.wire import Fields


class Function(Struct):
    """A function that the model may call; ``parameters`` is its JSON schema."""

    name: str
    description: str | None = None
    parameters: dict[str, Raw] | None = None
    strict: bool | None = None


class Tool(Struct):
    """A tool that the model may use; only ``function`` is known elsewhere."""

    type: str
    function: Function | None = None


class CalledFunction(Struct):
    """A function that the model called, with its arguments as JSON text."""

    name: str
    arguments: str = ""


class ToolCall(Struct):
    """A call that the model made."""

    id: str
    function: CalledFunction | None = None


class ImageUrl(Struct):
    """Where an image is: an address, or the image itself as a ``data:`` URL."""

    url: str


class FileData(Struct):
    """A file: its content as a ``data:`` URL, or what OpenAI stored it under."""

    file_data: str | None = None
    file_id: str | None = None
    filename: str | None = None


class Part(Struct):
    """A part of a message's content. ``cache_control`` is Anthropic's, passed on as it came."""

    type: str
    text: str | None = None
    refusal: str | None = None
    image_url: ImageUrl | str | None = None
    file: FileData | None = None
    cache_control: dict[str, Raw] | None = None


class ChatMessage(Struct):
    """One message of a chat."""

    role: str
    content: str | list[Part] | None = None
    tool_calls: list[ToolCall] | None = None
    tool_call_id: str | None = None
    thinking_blocks: list[Raw] | None = None
    function_call: Any = None
    audio: Any = None

    @property
    def parts(self) -> list[Part]:
        """The content as parts; a text is one, and an empty text none."""
        if isinstance(self.content, str):
            return [Part(type="text", text=self.content)] if self.content else []
        return self.content or []


class NamedFunction(Struct):
    """The name of a function."""

    name: str


class NamedTool(Struct):
    """The tool that must be called."""

    type: str
    function: NamedFunction | None = None


class JsonSchema(Struct):
    """A schema for the whole answer."""

    schema: dict[str, Raw] = {}


class ResponseFormat(Struct):
    """What the answer must look like."""

    type: str
    json_schema: JsonSchema | None = None


MESSAGES: Final = msgspec.json.Decoder(list[ChatMessage])
TOOLS: Final[msgspec.json.Decoder[list[Tool] | None]] = msgspec.json.Decoder(list[Tool] | None)
TOOL_CHOICE: Final[msgspec.json.Decoder[str | NamedTool | None]] = msgspec.json.Decoder(str | NamedTool | None)
RESPONSE_FORMAT: Final[msgspec.json.Decoder[ResponseFormat | None]] = msgspec.json.Decoder(ResponseFormat | None)
STOP: Final[msgspec.json.Decoder[str | list[str] | None]] = msgspec.json.Decoder(str | list[str] | None)
NUMBER: Final[msgspec.json.Decoder[float | None]] = msgspec.json.Decoder(float | None)

Read = TypeVar("Read")


def read_field(fields: Fields, name: str, decoder: msgspec.json.Decoder[Read]) -> Read | None:
    """A field of a question as its type; None where it is missing.

    Raises:
        InputError: it is of another type; the message says where.
    """
    if name not in fields:
        return None
    try:
        return decoder.decode(fields[name])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{name}: {error}") from None
    except RecursionError:
        raise InputError(f"{name} is nested too deeply") from None


def given(fields: Fields, name: str) -> bool:
    """Whether a field says something: it is there, and neither null, false, zero, nor empty."""
    return name in fields and bytes(fields[name]) not in _NOTHING


_NOTHING: Final = frozenset((b"null", b"false", b"0", b"0.0", b"{}", b"[]", b'""'))
