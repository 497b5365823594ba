"""Which candidates a user asked for by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from breakeven.catalog.hosted import find_cards
from breakeven.catalog.negotiated import PriceConfig
from breakeven.catalog.open_models import OpenModel, open_model
from breakeven.catalog.price_card import PriceCard
from breakeven.errors import AmbiguousName, UnknownName
from breakeven.options.option import OptionKind

KINDS: tuple[OptionKind, ...] = ("api", "gpu", "edge")


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The kinds and models to compare; ``hosted`` and ``open_models`` are None where no model was named.

    ``hosted`` has a standard card of each named model; their other processing tiers are compared too. ``contracts`` are
    the labels of provisioned throughput among the names.
    """

    kinds: frozenset[OptionKind] = frozenset(KINDS)
    hosted: tuple[PriceCard, ...] | None = None
    open_models: tuple[OpenModel, ...] | None = None
    contracts: frozenset[str] = frozenset()

    @property
    def named(self) -> bool:
        """Whether models were asked for by name, so that unrated ones are compared too."""
        return self.hosted is not None

    @property
    def has_open_models(self) -> bool:
        """Whether there are weights to run on one's own hardware: all of the catalogue's, or some of the named ones."""
        return self.open_models is None or bool(self.open_models)

    def among(self, cards: Sequence[PriceCard]) -> list[PriceCard]:
        """Those of the cards that were asked for, and named ones that are not among them (resold at list price)."""
        if self.hosted is None:
            return list(cards)
        wanted = {(card.provider, card.model) for card in self.hosted}
        listed = [card for card in cards if (card.provider, card.model) in wanted]
        known = {(card.provider, card.model) for card in listed}
        return listed + [card for card in self.hosted if (card.provider, card.model) not in known]


def select(names: Sequence[str], at: date, config: PriceConfig) -> Selection:
    """The candidates behind names: hosted models, open models, or a kind (``api``, ``gpu``, ``edge``).

    Raises:
        UnknownName: a name that is neither; the hint lists the nearest.
        AmbiguousName: a hosted model that several providers sell under this name.
    """
    kinds = frozenset(kind for kind in KINDS if kind in names) or frozenset(KINDS)
    models = [name for name in names if name not in KINDS]
    if not models:
        return Selection(kinds=kinds)
    hosted: list[PriceCard] = []
    weights: dict[str, OpenModel] = {}
    contracts = frozenset(contract.label for contract in config.provisioned)
    for name in models:
        model = _open(name)
        if model is not None:
            weights[model.name] = model
        hosted += _hosted(name, at, config, required=model is None and name not in contracts)
    return Selection(
        kinds=kinds,
        hosted=tuple(hosted),
        open_models=tuple(weights.values()),
        contracts=contracts & frozenset(models),
    )


def _hosted(name: str, at: date, config: PriceConfig, *, required: bool) -> Sequence[PriceCard]:
    """The cards behind a name; a name of open weights or of a contract need not be that of a hosted model too."""
    try:
        return find_cards(name, at=at, config=config)
    except (UnknownName, AmbiguousName):
        if required:
            raise
        return ()


def _open(name: str) -> OpenModel | None:
    try:
        return open_model(name)
    except UnknownName:
        return None
