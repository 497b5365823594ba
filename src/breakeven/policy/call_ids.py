"""New ids for the tool calls of an answer that is served again, so that no two calls of a client have one id."""

from __future__ import annotations

from collections.abc import Callable, Sequence


def renewed(pieces: Sequence[bytes], call_ids: Sequence[bytes], fresh: Callable[[], bytes]) -> tuple[bytes, ...]:
    """The pieces of an answer in which each id is another one, the same wherever it stands.

    ``fresh`` makes random letters and digits; they take the place of the id's own, so it keeps its length and what it
    begins with (``call_``, ``toolu_``). An id stands between quotes: within a text those are escaped.

    >>> renewed([b'{"id":"call_abcdefgh"}'], [b"call_abcdefgh"], lambda: b"12345678")
    (b'{"id":"call_12345678"}',)
    """
    renewed_pieces = tuple(pieces)
    for call_id in dict.fromkeys(call_ids):
        begins, joint, rest = call_id.partition(b"_")
        kept = begins + joint if joint else b""
        wanted_bytes = len(rest if joint else begins)
        letters = b""
        while len(letters) < wanted_bytes:
            letters += fresh()
        old, new = b'"%b"' % call_id, b'"%b%b"' % (kept, letters[:wanted_bytes])
        renewed_pieces = tuple(piece.replace(old, new) for piece in renewed_pieces)
    return renewed_pieces
