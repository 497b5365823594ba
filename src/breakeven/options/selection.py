"""Which candidates a user asked for by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from breakeven.catalog.hosted import find_card
from breakeven.catalog.open_models import OpenModel, open_model
from breakeven.catalog.price_card import PriceCard
from breakeven.errors import UnknownName
from breakeven.options.option import OptionKind

KINDS: tuple[OptionKind, ...] = ("api", "gpu", "edge")


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The kinds and models to compare; ``hosted`` and ``open_models`` are None where no model was named."""

    kinds: frozenset[OptionKind] = frozenset(KINDS)
    hosted: frozenset[tuple[str, str]] | None = None
    open_models: tuple[OpenModel, ...] | None = None

    @property
    def named(self) -> bool:
        """Whether models were asked for by name, so that unrated ones are compared too."""
        return self.hosted is not None

    @property
    def has_open_models(self) -> bool:
        """Whether there are weights to run on one's own hardware: all of the catalogue's, or some of the named ones."""
        return self.open_models is None or bool(self.open_models)

    def admits(self, card: PriceCard) -> bool:
        """Whether a hosted price is among those asked for."""
        return self.hosted is None or (card.provider, card.model) in self.hosted


def select(names: Sequence[str], at: date) -> Selection:
    """The candidates behind names: hosted models, open models, or a kind (``api``, ``gpu``, ``edge``).

    Raises:
        UnknownName: a name that is neither; the hint lists the nearest.
        AmbiguousName: a hosted model that several providers sell under this name.
    """
    kinds = frozenset(kind for kind in KINDS if kind in names)
    models = [name for name in names if name not in KINDS]
    if not models:
        return Selection(kinds=kinds or frozenset(KINDS))
    hosted, weights = set(), {}
    for name in models:
        card, model = _hosted(name, at), _open(name)
        if card is None and model is None:
            find_card(name, at=at)
        if card is not None:
            hosted.add((card.provider, card.model))
        if model is not None:
            weights[model.name] = model
    return Selection(kinds=kinds or frozenset(KINDS), hosted=frozenset(hosted), open_models=tuple(weights.values()))


def _hosted(name: str, at: date) -> PriceCard | None:
    try:
        return find_card(name, at=at)
    except UnknownName:
        return None


def _open(name: str) -> OpenModel | None:
    try:
        return open_model(name)
    except UnknownName:
        return None
