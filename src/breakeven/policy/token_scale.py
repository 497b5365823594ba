"""How many bytes of a prompt make a token, learned from what an upstream counted."""

from __future__ import annotations

from typing import Final

USUAL_TOKENS_PER_BYTE: Final = 0.25
"""English text, before anything was counted."""

_SMALLEST_BYTES: Final = 2_000
"""Of a shorter prompt, what the provider adds itself is too large a share."""

_LEAST, _MOST = 0.02, 1.0
_NEW_SHARE: Final = 0.2


class TokenScale:
    """Tokens per byte of one deployment's prompts, the later ones weighing more."""

    __slots__ = ("_counted", "tokens_per_byte")

    def __init__(self) -> None:
        self.tokens_per_byte = USUAL_TOKENS_PER_BYTE
        self._counted = False

    def observe(self, prompt_bytes: int, tokens: int) -> None:
        """An upstream counted these tokens in a prompt of this size, which had no images or files."""
        if prompt_bytes < _SMALLEST_BYTES or tokens <= 0:
            return
        seen = min(max(tokens / prompt_bytes, _LEAST), _MOST)
        share = _NEW_SHARE if self._counted else 1.0
        self.tokens_per_byte = share * seen + (1 - share) * self.tokens_per_byte
        self._counted = True
