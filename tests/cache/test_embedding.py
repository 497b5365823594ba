"""The embedding model that comes in a package: near for the same meaning, alike for the same text, never fetched."""

from __future__ import annotations

import socket
from importlib import util
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from breakeven.cache.embedding import cosine, load_embedder
from breakeven.errors import Unavailable


def test_it_is_read_from_its_package_without_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_network(*_: Any) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", no_network)
    load_embedder.cache_clear()
    assert load_embedder().vectors(["hello"]).shape == (1, 256)


def test_nearer_in_meaning_is_nearer() -> None:
    asked, same, other = load_embedder().vectors(
        ["How do I reset my password?", "Steps to reset a password", "Which hotels in Oslo have a pool?"]
    )
    assert cosine(asked, same) > 0.5 > cosine(asked, other)


@given(st.lists(st.text(max_size=30), min_size=1, max_size=4))
def test_vectors_have_length_one_and_do_not_depend_on_their_company(texts: list[str]) -> None:
    embedder = load_embedder()
    vectors = embedder.vectors(texts)
    lengths = np.linalg.norm(vectors, axis=1)
    assert np.all((abs(lengths - 1) < 1e-5) | (lengths == 0))
    for text, vector in zip(texts, vectors, strict=True):
        assert np.array_equal(embedder.vectors([text])[0], vector)


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("breakeven.cache.embedding.find_spec", lambda _name: None)
    load_embedder.cache_clear()
    with pytest.raises(Unavailable, match="embedding model") as told:
        load_embedder()
    assert told.value.hint == "pip install 'breakeven[semantic]'"


def test_a_package_without_its_weights_is_told_and_nothing_is_fetched(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    model = util.find_spec("wordllama")
    assert model is not None
    loader = __import__("wordllama").WordLlama
    monkeypatch.setattr(loader, "get_filename", staticmethod(lambda *_, **__: "gone.safetensors"))
    load_embedder.cache_clear()
    with pytest.raises(Unavailable, match="cannot be read"):
        load_embedder()
    load_embedder.cache_clear()
