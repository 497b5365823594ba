"""Answers as bytes: the same again, smaller where that pays, and damage is nothing rather than an error."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from breakeven.cache.packing import packed, unpacked
from breakeven.cache.response_store import StoredAnswer
from cache.stored import answer, random_body

PIECES = st.lists(st.binary(max_size=3_000), max_size=5).map(tuple)


@given(PIECES, st.booleans(), st.lists(st.binary(max_size=30), max_size=3).map(tuple), st.text())
def test_an_answer_comes_out_as_it_went_in(
    pieces: tuple[bytes, ...], stream: bool, call_ids: tuple[bytes, ...], model: str
) -> None:
    kept = answer(pieces=pieces, stream=stream, call_ids=call_ids, served_model=model)
    assert unpacked(packed(kept)) == kept


def test_it_is_deflated_where_that_saves_something() -> None:
    text = b'{"choices":[{"message":{"content":"the same again"}}]}' * 100
    assert len(packed(answer(text))) < len(text) // 4
    noise = random_body(5_000)
    assert 5_000 < len(packed(answer(noise))) < 5_400


@given(st.binary(max_size=300))
@example(b"")
@example(b"\x01")
def test_any_bytes_are_an_answer_or_nothing(kept: bytes) -> None:
    assert unpacked(kept) is None or isinstance(unpacked(kept), StoredAnswer)


@given(st.integers(0, 1_500), st.integers(0, 255))
def test_damage_is_an_answer_or_nothing(place: int, byte: int) -> None:
    kept = bytearray(packed(answer(b'{"a":"b"}' * 200)))
    kept[place % len(kept)] = byte
    assert unpacked(bytes(kept)) is None or isinstance(unpacked(bytes(kept)), StoredAnswer)
    assert unpacked(bytes(kept[: place % len(kept)])) is None
