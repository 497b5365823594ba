"""The answers in memory: never more than there is room for, the ones used last, and none that is too old."""

from __future__ import annotations

from collections import OrderedDict

from hypothesis import given
from hypothesis import strategies as st

from breakeven.cache.memory import MemoryFront, weight_bytes
from cache.stored import answer, key


def test_an_answer_is_the_very_one_that_was_put() -> None:
    front = MemoryFront(1 << 20)
    kept = answer()
    front.put(key(1), kept)
    assert front.get(key(1), kept.stored_at_ns) is kept
    assert front.get(key(2), kept.stored_at_ns) is None


def test_an_answer_is_served_until_it_expires_and_not_at_that_moment() -> None:
    front = MemoryFront(1 << 20)
    kept = answer()
    front.put(key(1), kept)
    assert front.get(key(1), kept.expires_at_ns - 1) is kept
    assert front.get(key(1), kept.expires_at_ns) is None
    assert (len(front), front.used_bytes) == (0, 0)


def test_one_that_is_too_large_pushes_out_nothing() -> None:
    front = MemoryFront(80_000)
    front.put(key(1), answer(b"x" * 5_000))
    front.put(key(2), answer(b"x" * 20_000))
    assert front.get(key(1), 0) is not None
    assert front.get(key(2), 0) is None


STEPS = st.lists(
    st.tuples(st.sampled_from(["put", "get", "drop"]), st.integers(0, 9), st.integers(0, 900)), max_size=60
)


@given(STEPS)
def test_it_keeps_what_was_used_last_within_its_bound(steps: list[tuple[str, int, int]]) -> None:
    front, model = MemoryFront(8_000), OrderedDict[bytes, int]()
    for action, number, size in steps:
        name = key(number)
        if action == "put":
            model.pop(name, None)
            kept = answer(b"x" * size)
            front.put(name, kept)
            if weight_bytes(kept) <= 1_000:
                model[name] = weight_bytes(kept)
                while sum(model.values()) > 8_000:
                    model.popitem(last=False)
        elif action == "drop":
            front.drop(name)
            model.pop(name, None)
        else:
            assert (front.get(name, 0) is not None) == (name in model)
            if name in model:
                model.move_to_end(name)
        assert (front.used_bytes, len(front)) == (sum(model.values()), len(model))
        assert front.used_bytes <= 8_000
