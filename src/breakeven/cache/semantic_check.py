"""What the semantic cache would serve of pairs whose truth is known: other wordings, and near misses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from breakeven.cache.embedding import Embedder, cosine
from breakeven.errors import InputError
from breakeven.policy.lexical_guard import form
from breakeven.policy.semantic import is_safety_relevant, may_share
from breakeven.policy.semantic_rule import SemanticRule

_SHOWN_TEXT = '{"base": "...", "paraphrase": "...", "near_miss": "...", "category": "..."}'


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """A question, another wording of it, and a question that only looks like it."""

    base: str
    paraphrase: str
    near_miss: str
    category: str = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """Of how many pairs the near miss was served the base's answer, and of how many the paraphrase."""

    pairs: int = 0
    near_miss_served: int = 0
    paraphrase_served: int = 0

    def plus(self, *, near_miss: bool, paraphrase: bool) -> Score:
        """With one pair more."""
        return Score(
            pairs=self.pairs + 1,
            near_miss_served=self.near_miss_served + near_miss,
            paraphrase_served=self.paraphrase_served + paraphrase,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedPairs:
    """Scores by category in alphabetical order, all pairs together, and the near misses that were served."""

    similarity: float
    embedder: str
    categories: dict[str, Score]
    total: Score
    wrong: tuple[Pair, ...]


def read_pairs(path: Path) -> list[Pair]:
    """Pairs from JSON Lines.

    Raises:
        InputError: the file cannot be read, is empty, or a line is no pair; the message names the line.
    """
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read {path}", cause=str(error), hint="give a JSON Lines file") from error
    pairs = list(_pairs(path, lines))
    if not pairs:
        raise InputError(f"{path} has no pairs", hint=f"one object a line: {_SHOWN_TEXT}")
    return pairs


def _pairs(path: Path, lines: Sequence[str]) -> Iterator[Pair]:
    decoder = msgspec.json.Decoder(Pair)
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                yield decoder.decode(line)
            except msgspec.DecodeError as error:
                raise InputError(
                    f"{path}:{number}: no pair", cause=str(error), hint=f"one object a line: {_SHOWN_TEXT}"
                ) from error


def check(pairs: Sequence[Pair], embedder: Embedder, rule: SemanticRule) -> CheckedPairs:
    """Serve each pair's paraphrase and near miss from a cache that has the base, by the rule that a gateway uses."""
    scores: dict[str, Score] = {}
    total, wrong = Score(), []
    for pair in pairs:
        near_miss = would_serve(pair.base, pair.near_miss, embedder, rule)
        paraphrase = would_serve(pair.base, pair.paraphrase, embedder, rule)
        scores[pair.category] = scores.get(pair.category, Score()).plus(near_miss=near_miss, paraphrase=paraphrase)
        total = total.plus(near_miss=near_miss, paraphrase=paraphrase)
        wrong += [pair] if near_miss else []
    return CheckedPairs(
        similarity=rule.similarity,
        embedder=embedder.name,
        categories=dict(sorted(scores.items())),
        total=total,
        wrong=tuple(wrong),
    )


def would_serve(stored: str, asked: str, embedder: Embedder, rule: SemanticRule) -> bool:
    """Whether a question would get the answer of a stored one, the route's evidence apart."""
    if is_safety_relevant(stored) or is_safety_relevant(asked):
        return False
    first, second = embedder.vectors([stored, asked])
    return may_share(form(stored), form(asked), cosine(first, second), rule)
