"""How good a model is, as one of three tiers, from public scores with their source and date.

A tier says "at least as good as", measured against the models that the words were coined for: *premium* is the class of
GPT-4o, *good* the class of GPT-4o mini, *basic* is below. The scales, their boundaries and the reasons are in
``data/quality_tiers.toml``, the scores in ``data/quality_scores.csv``. A model without a score has no tier: nothing is
inferred from its name, its size, its price or its predecessor.
"""

from __future__ import annotations

import datetime
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Literal

from breakeven.catalog.model_names import canonical_model_name
from breakeven.catalog.tables import Row, read_table
from breakeven.errors import CatalogError

Tier = Literal["basic", "good", "premium"]
TIERS: tuple[Tier, ...] = ("basic", "good", "premium")
"""The tiers in ascending order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """One published score of one model. ``tested_as`` is what the source calls the model and its setting."""

    model: str
    benchmark: str
    score: float
    tested_as: str
    source: str
    published_on: datetime.date
    checked_on: datetime.date


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """A benchmark and the lowest score of each tier; ``margin_alone`` is added where no second scale confirms."""

    benchmark: str
    unit: str
    good_from: float
    premium_from: float
    margin_alone: float
    fallback: bool
    reason: str

    def tier(self, score: float, *, alone: bool) -> Tier:
        """The tier of a score on this scale.

        >>> Scale(benchmark="exam", unit="%", good_from=60, premium_from=70, margin_alone=3, fallback=False,
        ...       reason="").tier(71, alone=True)
        'good'
        """
        margin = self.margin_alone if alone else 0.0
        if score >= self.premium_from + margin:
            return "premium"
        return "good" if score >= self.good_from + margin else "basic"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelQuality:
    """A model's tier and the score that decided it; ``note`` says where a stated ceiling lowered the tier."""

    model: str
    tier: Tier
    score: float
    benchmark: str
    source: str
    published_on: datetime.date
    checked_on: datetime.date
    note: str = ""


def quality_of(model_name: str) -> ModelQuality | None:
    """The quality of a model under any of its names, or None where no public score is recorded ("unrated").

    Raises:
        CatalogError: a row of the catalogue's quality data is wrong.
    """
    return rated_models().get(canonical_model_name(model_name))


@cache
def rated_models() -> Mapping[str, ModelQuality]:
    """The quality of every rated model, by canonical name."""
    by_model: dict[str, list[Score]] = {}
    for score in quality_scores():
        by_model.setdefault(score.model, []).append(score)
    return MappingProxyType({model: _judged(model, scores) for model, scores in by_model.items()})


@cache
def quality_scores() -> tuple[Score, ...]:
    """Every recorded score, at most one a model and benchmark."""
    scores = read_table("quality_scores.csv", _score)
    seen: set[tuple[str, str]] = set()
    for score in scores:
        if (score.model, score.benchmark) in seen:
            raise CatalogError(f"quality_scores.csv has two {score.benchmark} scores of {score.model}")
        seen.add((score.model, score.benchmark))
    return scores


@cache
def scales() -> Mapping[str, Scale]:
    """The scales by benchmark, in the order in which they are asked."""
    return MappingProxyType({name: Scale(benchmark=name, **cells) for name, cells in _settings()["scales"].items()})


def is_at_least(tier: Tier, minimum: Tier) -> bool:
    """Whether a tier meets a required one.

    >>> is_at_least("premium", "good"), is_at_least("basic", "good")
    (True, False)
    """
    return TIERS.index(tier) >= TIERS.index(minimum)


def _judged(model: str, scores: list[Score]) -> ModelQuality:
    """The lowest tier over the main scales; a fallback scale speaks only where they are silent."""
    main = [score for score in scores if not scales()[score.benchmark].fallback]
    heard = sorted(main or scores, key=lambda score: list(scales()).index(score.benchmark))
    tiers = [scales()[score.benchmark].tier(score.score, alone=len(heard) == 1) for score in heard]
    tier = min(tiers, key=TIERS.index)
    decisive = heard[tiers.index(tier)]
    ceiling = _settings()["ceilings"].get(model)
    lowered = ceiling is not None and not is_at_least(ceiling["tier"], tier)
    return ModelQuality(
        model=model,
        tier=ceiling["tier"] if lowered else tier,
        score=decisive.score,
        benchmark=decisive.benchmark,
        source=decisive.source,
        published_on=decisive.published_on,
        checked_on=decisive.checked_on,
        note=ceiling["reason"] if lowered else "",
    )


@cache
def _settings() -> Mapping[str, Any]:
    return tomllib.loads((files(__package__) / "data" / "quality_tiers.toml").read_text(encoding="utf-8"))


def _score(row: Row) -> Score:
    score = Score(
        model=row.text("model"),
        benchmark=row.choice("benchmark", tuple(scales())),
        score=row.number("score"),
        tested_as=row.text("tested_as"),
        source=row.text("source"),
        published_on=row.date("published_on"),
        checked_on=row.date("checked_on"),
    )
    if score.model != canonical_model_name(score.model):
        raise row.wrong(f"model must be the canonical name {canonical_model_name(score.model)!r}")
    if score.published_on > score.checked_on:
        raise row.wrong("published_on is after checked_on")
    return score
