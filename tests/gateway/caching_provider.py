"""An Anthropic that really keeps a prompt cache, by the rules of its documentation as of November 2026.

Blocks are hashed from the first tool to the last message's last block. At a breakpoint, what is stored under its own
hash or that of one of the 20 blocks before it is read; everything from there to the last breakpoint is written, and
stored at each breakpoint. An entry lives for five minutes or an hour, anew with each read. Beginnings below the model's
minimum are neither. At most four breakpoints, those of an hour before the others; all else is refused with a 400.

It was written from the documentation and shares nothing with what the gateway does: it reads values, not bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from anthropic.types import MessageCreateParams
from pydantic import ConfigDict, TypeAdapter, ValidationError

from gateway.provider import Asked, Said

LOOKBACK = 20
MOST_BREAKPOINTS = 4
KEPT_S = {"5m": 300.0, "1h": 3_600.0}
CHARS_PER_TOKEN = 3.7
OUTPUT_TOKENS = 20
THOUGHTS = ("thinking", "redacted_thinking")

_PARAMS = TypeAdapter(MessageCreateParams, config=ConfigDict(extra="forbid"))


class Clock:
    """The time, which only moves when it is told to; seconds."""

    def __init__(self) -> None:
        self.now_s = 1_795_000_000.0

    def __call__(self) -> float:
        return self.now_s


class Refused(Exception):
    """What is wrong with a request."""


class Block(NamedTuple):
    """A block of the prompt: what it is for, without its mark, and how long it asks to be kept."""

    text: str
    ttl: str | None
    can_carry: bool


@dataclass(slots=True, kw_only=True)
class Billed:
    """What one request was billed for; tokens."""

    fresh: int
    read: int
    written: dict[str, int]

    @property
    def total(self) -> int:
        return self.fresh + self.read + sum(self.written.values())


@dataclass(slots=True)
class CachingAnthropic:
    """Answers messages, and remembers what it billed.

    One that ``forgets`` bills writes, and reads nothing. One that does not split says how much was written, and not for
    how long.
    """

    clock: Clock
    min_tokens: int = 1_024
    forgets: bool = False
    splits: bool = True
    billed: list[Billed] = field(default_factory=list)
    _kept: dict[str, tuple[float, str]] = field(default_factory=dict)

    def __call__(self, asked: Asked) -> Said:
        try:
            used = self.bill(asked.json)
        except Refused as refused:
            error = {"type": "error", "error": {"type": "invalid_request_error", "message": str(refused)}}
            return Said(status=400, body=json.dumps(error).encode())
        self.billed.append(used)
        return Said(
            body=json.dumps(answer(asked.json, used, splits=self.splits)).encode(), headers={"request-id": "req_1"}
        )

    def bill(self, body: dict[str, Any]) -> Billed:
        """What a request costs now, and what is kept from it."""
        try:
            _PARAMS.validate_python(body)
        except ValidationError as error:
            raise Refused(str(error)) from error
        found = list(blocks(body))
        breakpoints = [place for place, block in enumerate(found) if block.ttl]
        _check(found, breakpoints)
        hashes, tokens = chained(body, found)
        places = [place for place in breakpoints if tokens[place] >= self.min_tokens]
        if not places:
            return Billed(fresh=tokens[-1], read=0, written={"5m": 0, "1h": 0})
        hit = max((self._hit(hashes, place) for place in places), default=-1)
        read = tokens[hit] if hit >= 0 else 0
        written = {"5m": 0, "1h": 0}
        done = read
        for place in places:
            ttl = found[place].ttl or "5m"
            written[ttl] += max(tokens[place] - done, 0)
            done = max(done, tokens[place])
            self._kept[hashes[place]] = self.clock() + KEPT_S[ttl], ttl
        if hit >= 0:
            ttl = self._kept[hashes[hit]][1]
            self._kept[hashes[hit]] = self.clock() + KEPT_S[ttl], ttl
        return Billed(fresh=tokens[-1] - done, read=read, written=written)

    def _hit(self, hashes: list[str], place: int) -> int:
        """The last block that is kept, of a breakpoint and of what it looks back to; -1 for none."""
        for back in range(place, max(place - LOOKBACK, -1), -1):
            if not self.forgets and self._kept.get(hashes[back], (0.0, ""))[0] > self.clock():
                return back
        return -1


def blocks(body: dict[str, Any]) -> Iterator[Block]:
    """Every block of a prompt in the order in which it is hashed."""
    for tool in body.get("tools", []):
        yield _block("tools", tool)
    for block in _listed(body.get("system", [])):
        yield _block("system", block)
    changes = json.dumps([body.get("tool_choice"), body.get("thinking")])
    for message in body["messages"]:
        for block in _listed(message["content"]):
            yield _block(f"{changes} {message['role']}", block)


def chained(body: dict[str, Any], found: list[Block]) -> tuple[list[str], list[int]]:
    """The hash of everything up to each block, and its tokens, as this provider counts them."""
    hashes, tokens = [], []
    so_far, chars = hashlib.md5(body["model"].encode()), 0
    for block in found:
        so_far.update(block.text.encode())
        chars += len(block.text)
        hashes.append(so_far.hexdigest())
        tokens.append(int(chars / CHARS_PER_TOKEN))
    return hashes, tokens


def answer(body: dict[str, Any], used: Billed, *, splits: bool) -> dict[str, Any]:
    """A message with the usage that was billed."""
    written = used.written
    usage: dict[str, Any] = {
        "input_tokens": used.fresh,
        "cache_read_input_tokens": used.read,
        "cache_creation_input_tokens": sum(written.values()),
        "cache_creation": {
            "ephemeral_5m_input_tokens": written["5m"],
            "ephemeral_1h_input_tokens": written["1h"],
        },
        "output_tokens": OUTPUT_TOKENS,
    }
    if not splits:
        del usage["cache_creation"]
    content = [{"type": "text", "text": "Yes."}]
    said = {"id": "msg_1", "type": "message", "role": "assistant", "model": body["model"], "content": content}
    return {**said, "stop_reason": "end_turn", "stop_sequence": None, "usage": usage}


def _listed(content: Any) -> list[dict[str, Any]]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _block(where: str, block: dict[str, Any]) -> Block:
    mark = block.get("cache_control")
    bare = {name: value for name, value in block.items() if name != "cache_control"}
    ttl = None if mark is None else mark.get("ttl", "5m")
    empty = block.get("type") == "text" and not block["text"]
    can_carry = block.get("type") not in THOUGHTS and not empty
    return Block(f"{where} {json.dumps(bare, sort_keys=True, ensure_ascii=False)}", ttl, can_carry)


def _check(found: list[Block], breakpoints: list[int]) -> None:
    if len(breakpoints) > MOST_BREAKPOINTS:
        raise Refused(f"A maximum of 4 blocks with cache_control may be provided. Found {len(breakpoints)}.")
    if any(not found[place].can_carry for place in breakpoints):
        raise Refused("cache_control cannot be set here")
    ttls = [found[place].ttl for place in breakpoints]
    if "5m" in ttls and "1h" in ttls[ttls.index("5m") :]:
        raise Refused("a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block")
