"""What the load asks: chat questions of a stated size, as bodies and as whole HTTP requests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import msgspec

SENTENCE = "Summarise the following invoice line and say which cost centre pays for it. "
SMALL_BYTES = 2_200
LARGE_BYTES = 400_000
OUTPUT_TOKENS = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A server that is asked: its URL without a path, and what it wants to hear."""

    url: str
    key: str = "none"
    model: str = "gpt-4o-mini"
    path: str = "/v1/chat/completions"
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        parts = urlsplit(self.url)
        return parts.hostname or "127.0.0.1", parts.port or 80

    @property
    def all_headers(self) -> dict[str, str]:
        """What every request carries."""
        return {"content-type": "application/json", "authorization": f"Bearer {self.key}", **self.headers}


def body(target: Target, size_bytes: int, stream: bool) -> bytes:
    """A question of about this many bytes."""
    content = (SENTENCE * (size_bytes // len(SENTENCE) + 1))[: max(size_bytes - 200, 1)]
    question = {
        "model": target.model,
        "messages": [
            {"role": "system", "content": "You are a helpful cost clerk."},
            {"role": "user", "content": content},
        ],
        "temperature": 0,
        "max_tokens": OUTPUT_TOKENS,
    }
    if stream:
        question |= {"stream": True, "stream_options": {"include_usage": True}}
    return msgspec.json.encode(question)


def request(target: Target, size_bytes: int, stream: bool) -> bytes:
    """The whole request."""
    host, port = target.address
    content = body(target, size_bytes, stream)
    lines = [f"POST {target.path} HTTP/1.1", f"host: {host}:{port}", f"content-length: {len(content)}"]
    lines += [f"{name}: {value}" for name, value in target.all_headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + content
