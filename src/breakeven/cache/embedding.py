"""The seam to embeddings: how near two questions are, by a model that is in a package and never downloaded."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from breakeven.errors import Unavailable

Vectors = NDArray[np.float32]
"""One row a text, each of length 1; of a text without words, of length 0."""


class Embedder(Protocol):
    """A model of texts. ``name`` tells its vectors from those of any other: two models' are never compared."""

    @property
    def name(self) -> str:
        """The model and its width."""
        ...

    def vectors(self, texts: Sequence[str]) -> Vectors:
        """The texts' vectors, in their order; the same for the same text, whatever it is asked with."""
        ...


class WordLlama:
    """WordLlama's averaged token vectors of 256 numbers, whose weights are in its wheel (MIT licence)."""

    name = "wordllama-l2-supercat-256"

    def __init__(self, model: Any) -> None:
        self._model = model

    def vectors(self, texts: Sequence[str]) -> Vectors:
        """As `Embedder.vectors`. One at a time, since a batch is padded to its longest text."""
        means = np.asarray([self._model.embed([text])[0] for text in texts], dtype=np.float32)
        lengths = np.linalg.norm(means, axis=1, keepdims=True)
        return np.asarray(means / np.where(lengths > 0, lengths, 1), dtype=np.float32)


@cache
def load_embedder() -> Embedder:
    """The embedder of this installation, read from its package's folder; nothing is fetched.

    Raises:
        Unavailable: the optional part is not installed, or its files are not in it.
    """
    found = find_spec("wordllama")
    if found is None or not found.submodule_search_locations:
        raise Unavailable(
            "semantic answers need an embedding model",
            cause="the package wordllama is not installed",
            hint="pip install 'breakeven[semantic]'",
        )
    try:
        loader = import_module(found.name).WordLlama
        return WordLlama(loader.load(cache_dir=Path(found.submodule_search_locations[0]), disable_download=True))
    except (ImportError, OSError, ValueError) as error:
        raise Unavailable(
            "the embedding model cannot be read", cause=str(error), hint="pip install 'breakeven[semantic]'"
        ) from error


def cosine(first: Vectors, second: Vectors) -> float:
    """The cosine of the angle between two vectors of length 1."""
    return float(np.dot(first, second))
