"""The secret that an upstream wants, which is in no log, message or representation."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

from breakeven.errors import ConfigError

CredentialKind = Literal["bearer", "x-api-key", "api-key", "none"]
"""How it is sent: OpenAI's ``authorization``, Anthropic's ``x-api-key``, Azure's ``api-key``, or not at all."""

ANTHROPIC_VERSION: Final = b"2023-06-01"
"""Sent to Anthropic where the client names no version (docs.anthropic.com, API versioning)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """A secret and how it is sent. The configuration reads it from the environment or a file.

    Raises:
        ConfigError: no secret where one is sent, or one that no header can carry.
    """

    kind: CredentialKind = "none"
    secret: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        if self.kind == "none":
            return
        if not self.secret or any(not "!" <= letter <= "~" for letter in self.secret):
            raise ConfigError(
                "an upstream's credential is empty, or holds a space, a line break or a letter beyond ASCII",
                hint='name the variable or file that holds the key: api_key_env = "OPENAI_API_KEY"',
            )

    def header(self) -> bytes:
        """The header line that carries the secret; empty without one."""
        if self.kind == "none":
            return b""
        name, prefix = ("authorization", "Bearer ") if self.kind == "bearer" else (self.kind, "")
        return f"{name}: {prefix}{self.secret}\r\n".encode("ascii")
