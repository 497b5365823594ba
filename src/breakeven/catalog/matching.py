"""Which model of a provider a name means: exact ids first, then the price library's rules, read strictly.

The library's rules are generous (``starts with deepseek-chat`` prices anything that starts so). Here a name that a
rule reaches must differ from the rule's own text only by a route before it or a date or version after it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from genai_prices.types import (
    ClauseAnd,
    ClauseContains,
    ClauseEndsWith,
    ClauseEquals,
    ClauseOr,
    ClauseRegex,
    ClauseStartsWith,
    MatchLogic,
)

from breakeven.catalog import genai_source, names


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelMatch:
    """A model as listed. ``priced_by`` is the provider whose list price applies: itself, unless it resells."""

    provider: str
    model: str
    priced_by: str


def match_in(provider: str, ref: str) -> ModelMatch | None:
    """The model that a provider offers under a name, or None; resold models are found at their maker's price."""
    own = _listed(provider, ref)
    if own is not None:
        return ModelMatch(provider=provider, model=own, priced_by=provider)
    for maker in genai_source.providers()[provider].fallback_model_providers or ():
        listed = _listed(maker, ref)
        if listed is not None:
            return ModelMatch(provider=provider, model=listed, priced_by=maker)
    return None


def maker_of(ref: str) -> str | None:
    """The provider that makes a model of this name, where its name says so."""
    lower = ref.lower()
    found = (
        p.id for p in genai_source.providers().values() if p.model_match is not None and p.model_match.is_match(lower)
    )
    return next(found, None)


def offering(ref: str) -> tuple[str, ...]:
    """The providers that list exactly this id; one that resells another of them is left out."""
    listing = [
        provider for provider in genai_source.providers().values() if ref.lower() in genai_source.models(provider.id)
    ]
    ids = {provider.id for provider in listing}
    return tuple(p.id for p in listing if not ids.intersection(p.fallback_model_providers or ()))


def known_labels() -> Sequence[str]:
    """``provider/model`` of everything listed, resellers last."""
    listed = ((provider, genai_source.models(provider)) for provider in genai_source.providers())
    labels = [f"{provider}/{model.id}" for provider, models in listed for model in models.values()]
    return sorted(labels, key=lambda label: label.startswith(("openrouter/", "huggingface_", "quicksilverpro/")))


def _listed(provider: str, ref: str) -> str | None:
    models = genai_source.models(provider)
    spellings = dict.fromkeys(names.without_route(ref).lower() for ref in (ref, names.with_dashed_date(ref)))
    exact = next((spelling for spelling in spellings if spelling in models), None)
    if exact is not None:
        return models[exact].id
    spellings |= dict.fromkeys((ref.lower(), names.with_dashed_date(ref.lower())))
    for model in models.values():
        if any(_reaches(model.match, spelling) for spelling in spellings):
            return model.id
    folded = {names.folded(spelling) for spelling in spellings}
    alike = [model.id for model in models.values() if names.folded(model.id) in folded]
    return alike[0] if len(alike) == 1 else None


def _reaches(clause: MatchLogic, ref: str) -> bool:
    """Whether a rule of the library names ``ref``, rather than merely catching it."""
    match clause:
        case ClauseOr():
            return any(_reaches(part, ref) for part in clause.or_)
        case ClauseAnd():
            return clause.is_match(ref) and any(_reaches(part, ref) for part in clause.and_)
        case ClauseRegex():
            named = clause.regex.startswith("^") and clause.regex.endswith("$")
        case ClauseStartsWith():
            named = _differs_by_decoration(clause.starts_with, ref)
        case ClauseEndsWith():
            named = _differs_by_decoration(clause.ends_with, ref)
        case ClauseContains():
            named = _differs_by_decoration(clause.contains, ref)
        case ClauseEquals():
            named = True
    return named and clause.is_match(ref)


def _differs_by_decoration(text: str, ref: str) -> bool:
    before, found, after = ref.partition(text.lower())
    return bool(found) and names.is_route(before) and names.is_decoration(after)
