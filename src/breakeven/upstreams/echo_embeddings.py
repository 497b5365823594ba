"""The echo model's embeddings: unit vectors drawn from a hash, the same for equal texts and unlike for others."""

from __future__ import annotations

import base64
import hashlib
import math
import sys
from array import array
from typing import Any

import msgspec

from breakeven.upstreams.echo_prompt import EchoPrompt


def embeddings(prompt: EchoPrompt, _answer_id: str) -> bytes:
    """A list of embeddings, as numbers or as base64 of little-endian 32-bit floats."""
    vectors = [unit_vector(text, prompt.dimensions) for text in prompt.texts]
    data: list[dict[str, Any]] = [
        {"object": "embedding", "index": index, "embedding": _base64(vector) if prompt.base64 else vector.tolist()}
        for index, vector in enumerate(vectors)
    ]
    usage = {"prompt_tokens": prompt.input_tokens, "total_tokens": prompt.input_tokens}
    return msgspec.json.encode({"object": "list", "data": data, "model": prompt.model, "usage": usage})


def unit_vector(text: str, dimensions: int) -> array[float]:
    """The vector of a text, of length 1 to the precision of 32-bit floats."""
    drawn = hashlib.shake_256(text.encode()).digest(2 * dimensions)
    # Odd numbers around zero: never all zero, however few dimensions there are.
    values = [2 * int.from_bytes(drawn[at : at + 2]) - 65_535 for at in range(0, len(drawn), 2)]
    length = math.sqrt(math.fsum(value * value for value in values))
    return array("f", [value / length for value in values])


def _base64(vector: array[float]) -> str:
    if sys.byteorder == "big":
        vector = array("f", vector)
        vector.byteswap()
    return base64.b64encode(vector.tobytes()).decode("ascii")
