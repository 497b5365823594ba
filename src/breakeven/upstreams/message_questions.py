"""An Anthropic question as it is read to be put to another wire: turns of blocks, tools and choices, typed."""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Raw, Struct


class Source(Struct):
    """Where an image or a document is: in the block, at an address, or stored at Anthropic."""

    type: str
    media_type: str = ""
    data: str = ""
    url: str = ""


class Block(Struct):
    """A block of content; which fields it has depends on its type."""

    type: str
    text: str = ""
    source: Source | None = None
    title: str | None = None
    id: str = ""
    name: str = ""
    input: dict[str, Raw] = {}
    tool_use_id: str = ""
    content: str | list[Block] | None = None


class Turn(Struct):
    """What one side said."""

    role: str
    content: str | list[Block]

    @property
    def blocks(self) -> list[Block]:
        """The content as blocks; an empty text is none."""
        if isinstance(self.content, str):
            return [Block(type="text", text=self.content)] if self.content else []
        return self.content


class MessageTool(Struct):
    """A tool; Anthropic's own have a type and no schema."""

    name: str = ""
    type: str | None = None
    description: str | None = None
    input_schema: dict[str, Raw] | None = None
    strict: bool | None = None


class MessageToolChoice(Struct):
    """Whether and which tool must be used."""

    type: str
    name: str = ""
    disable_parallel_tool_use: bool | None = None


class OutputFormat(Struct):
    """What the whole answer must look like."""

    type: str
    schema: dict[str, Raw] = {}


class OutputConfig(Struct):
    """How to answer."""

    effort: str | None = None
    format: OutputFormat | None = None


class Metadata(Struct):
    """Who asks."""

    user_id: str | None = None


TURNS: Final = msgspec.json.Decoder(list[Turn])
SYSTEM: Final[msgspec.json.Decoder[str | list[Block] | None]] = msgspec.json.Decoder(str | list[Block] | None)
MESSAGE_TOOLS: Final[msgspec.json.Decoder[list[MessageTool] | None]] = msgspec.json.Decoder(list[MessageTool] | None)
MESSAGE_TOOL_CHOICE: Final[msgspec.json.Decoder[MessageToolChoice | None]] = msgspec.json.Decoder(
    MessageToolChoice | None
)
OUTPUT_CONFIG: Final[msgspec.json.Decoder[OutputConfig | None]] = msgspec.json.Decoder(OutputConfig | None)
METADATA: Final[msgspec.json.Decoder[Metadata | None]] = msgspec.json.Decoder(Metadata | None)
STOP_SEQUENCES: Final[msgspec.json.Decoder[list[str] | None]] = msgspec.json.Decoder(list[str] | None)
