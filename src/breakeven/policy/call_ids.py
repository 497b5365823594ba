"""New ids for the tool calls of an answer that is served again, so that no two calls of a client have one id."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

LEAST_RANDOM_BYTES: Final = 16
"""Of an id that begins with a word; one without (Mistral's have nine letters) keeps its length."""


def renewed(pieces: Sequence[bytes], call_ids: Sequence[bytes], fresh: Callable[[], bytes]) -> tuple[bytes, ...]:
    """The pieces of an answer in which each id is another one, the same wherever it stands.

    ``fresh`` makes random letters and digits, which take the place of the id's own. What it begins with stays
    (``call_``, ``toolu_``), and so does its length unless it is too short to be random. An id stands between quotes:
    within a text those are escaped.

    >>> renewed([b'{"id":"call_a1"}'], [b"call_a1"], lambda: b"12345678")
    (b'{"id":"call_1234567812345678"}',)
    """
    renewed_pieces = tuple(pieces)
    for call_id in dict.fromkeys(call_ids):
        begins, joint, rest = call_id.rpartition(b"_")
        wanted_bytes = max(len(rest), LEAST_RANDOM_BYTES) if joint else len(rest)
        letters = b""
        while len(letters) < wanted_bytes:
            letters += fresh()
        old, new = b'"%b"' % call_id, b'"%b%b%b"' % (begins, joint, letters[:wanted_bytes])
        renewed_pieces = tuple(piece.replace(old, new) for piece in renewed_pieces)
    return renewed_pieces
