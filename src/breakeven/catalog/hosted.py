"""Hosted models: the price cards of the whole catalogue, and the one card that a name means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Final

from breakeven.catalog import genai_source, matching, names, overlay
from breakeven.catalog.matching import ModelMatch
from breakeven.catalog.model_names import canonical_model_name
from breakeven.catalog.negotiated import PriceConfig
from breakeven.catalog.price_card import PROCESSINGS, PriceCard
from breakeven.catalog.retirements import with_retirement
from breakeven.errors import AmbiguousName, InputError, UnknownName

FIRST_PRICED_DAY: Final = date(2020, 6, 11)
"""The day OpenAI announced the first API that is paid by the token; nothing was priced so before."""

DAYS_AHEAD: Final = 366
"""A price list says nothing of days further ahead of the day it was checked on."""


def require_priced_day(day: date) -> None:
    """Refuse a day that no price list speaks of, rather than price it as today.

    Raises:
        InputError: before `FIRST_PRICED_DAY`, or more than `DAYS_AHEAD` days after the list was checked.
    """
    last = genai_source.checked_on() + timedelta(days=DAYS_AHEAD)
    if not FIRST_PRICED_DAY <= day <= last:
        raise InputError(
            f"no prices are known on {day}",
            cause=f"the lists speak of {FIRST_PRICED_DAY} to {last}, a year after they were checked",
            hint=f"--at {min(max(day, FIRST_PRICED_DAY), last)}",
        )


@lru_cache(maxsize=8)
def hosted_cards(at: date) -> tuple[PriceCard, ...]:
    """Every card of the catalogue that is valid on a UTC day, standard prices and variants.

    A model priced by the hour of the day has one card for each price, with its ``hours_utc``. A model that its
    provider no longer serves stays in, with ``retired_on``.

    Raises:
        InputError: no price list speaks of that day.
    """
    require_priced_day(at)
    listed = (*genai_source.all_cards(), *overlay.missing_cards())
    return tuple(with_retirement(card, at) for card in listed if card.valid_on(at))


def forget() -> None:
    """Drop what was compiled, after the price list changed."""
    genai_source.forget()
    overlay.forget()
    hosted_cards.cache_clear()


def find_card(
    model: str,
    *,
    provider: str | None = None,
    processing: str = "standard",
    at: date | datetime | None = None,
    config: PriceConfig | None = None,
) -> PriceCard:
    """The one card that prices ``model`` at a moment (default: now); see `find_cards`.

    Raises:
        UnknownName: no row has this model, provider or processing, or none yet at that moment.
        AmbiguousName: several providers offer it, sources disagree about an alias, or the price depends on the hour.
    """
    moment = datetime.now(UTC) if at is None else at
    first, *others = find_cards(model, provider=provider, processing=processing, at=moment, config=config)
    if others:
        raise AmbiguousName(
            f"the price of {first.name} depends on the hour of the day",
            cause="; ".join(card.label for card in (first, *others)),
            hint=_price_command(first.name, f"--at {_day(moment)}T{first.hours_utc[0].start:%H:%M}"),
        )
    return first


def find_cards(
    model: str,
    *,
    provider: str | None = None,
    processing: str = "standard",
    at: date | datetime,
    config: PriceConfig | None = None,
) -> tuple[PriceCard, ...]:
    """The cards of ``model`` at a moment, or on a whole UTC day: one, or one for each price its hours have.

    ``model`` is an id, ``provider/id``, an id as a cloud writes it, or any of these followed by the processing, as in
    ``openai/gpt-4o (batch)``. Without a provider it means its maker's own API. Prices under ``[[prices]]`` in the
    configuration win over the catalogue.

    Raises:
        UnknownName: no row has this model, provider or processing, or none yet at that moment.
        AmbiguousName: several providers offer it, or sources disagree about an alias.
        InputError: no price list speaks of that day.
    """
    config, day = config or PriceConfig(), _day(at)
    require_priced_day(day)
    ref, tier = names.split_processing(model.strip(), PROCESSINGS)
    tier = _require_processing(tier or processing)
    try:
        cards = _valid_cards(find_model(ref, provider), tier, at)
    except UnknownName:
        own = config.card_named(ref, provider, tier, day)
        if own is None:
            raise
        return (own,)
    return tuple(_as_of(card, config.applied_to(card, day), ref, day) for card in cards)


def _as_of(card: PriceCard, negotiated: PriceCard, asked: str, day: date) -> PriceCard:
    """The card with what is known about it on a day; a negotiated price needs no second source."""
    return with_retirement(overlay.with_other_source(card, asked) if negotiated is card else negotiated, day)


def matching_cards(
    words: Sequence[str],
    at: date,
    *,
    provider: str | None = None,
    processing: str | None = None,
    config: PriceConfig | None = None,
) -> tuple[PriceCard, ...]:
    """The cards of a day whose label has every word in it, in any case of letters.

    Raises:
        UnknownName: an unknown provider or processing.
    """
    wanted_provider = None if provider is None else _require_provider(provider)
    wanted_processing = None if processing is None else _require_processing(processing)
    lower = [word.lower() for word in words]
    return tuple(
        card
        for card in (config or PriceConfig()).applied(hosted_cards(at), at)
        if wanted_provider in (None, card.provider)
        and wanted_processing in (None, card.processing)
        and all(word in card.label.lower() for word in lower)
    )


def maker_model_name(card: PriceCard) -> str:
    """The maker's name of a card's model, the key of quality scores and of open models."""
    return canonical_model_name(card.model)


def find_model(model: str, provider: str | None = None) -> ModelMatch:
    """The listed model that a name means.

    Raises:
        UnknownName: nothing is listed under it; the hint has the nearest names.
        AmbiguousName: several providers list it and its name does not say who makes it.
    """
    ref = model.strip()
    if not ref:
        raise UnknownName("the model's name is empty", hint="breakeven catalog show")
    if provider is not None:
        return _match_named(_require_provider(provider), ref)
    head, slash, tail = ref.partition("/")
    named = names.provider_id(head, genai_source.providers()) if slash else None
    if named is not None:
        return _require(matching.match_in(named, tail), ref, named)
    if names.is_bedrock_id(ref):
        return _require(matching.match_in("aws", ref), ref, "aws")
    return _maker_match(names.without_route(ref))


def _match_named(provider: str, ref: str) -> ModelMatch:
    head, slash, tail = ref.partition("/")
    found = matching.match_in(provider, ref)
    if found is None and slash and names.provider_id(head, genai_source.providers()) == provider:
        found = matching.match_in(provider, tail)
    return _require(found, ref, provider)


def _maker_match(ref: str) -> ModelMatch:
    maker = matching.maker_of(ref)
    if maker is not None:
        return _require(matching.match_in(maker, ref), ref, maker)
    offered_by = matching.offering(ref)
    if len(offered_by) > 1:
        raise AmbiguousName(
            f"{ref} is offered by {len(offered_by)} providers, at different prices",
            cause=f"{', '.join(offered_by)}: its name does not say who makes it, so it cannot mean its maker's own API",
            hint=_price_command(f"{offered_by[0]}/{ref}"),
        )
    found = matching.match_in(offered_by[0], ref) if offered_by else None
    return _require(found, ref, None)


def _require(found: ModelMatch | None, ref: str, provider: str | None) -> ModelMatch:
    if found is not None:
        return found
    known = matching.known_labels()
    bare = canonical_model_name(ref)
    elsewhere = [label for label in known if canonical_model_name(label) == bare]
    own = [label for label in known if provider is not None and label.startswith(f"{provider}/")]
    full = f"{provider}/{bare}" if provider else ref
    near = names.nearest(full, own) or names.nearest(bare, [label.rpartition("/")[2] for label in known])
    suggestions = (*elsewhere[:4], *near)
    raise UnknownName(
        f"unknown model {ref!r}" + (f" at {provider}" if provider else ""),
        cause=f"nearest names: {', '.join(dict.fromkeys(suggestions))}" if suggestions else "no name is near it",
        hint=_price_command(suggestions[0]) if suggestions else "breakeven catalog show",
    )


def _require_provider(name: str) -> str:
    known = genai_source.providers()
    found = names.provider_id(name, known)
    if found is None:
        near = names.nearest(name, [*known, *names.PROVIDER_ALIASES])
        raise UnknownName(
            f"unknown provider {name!r}",
            cause=f"nearest names: {', '.join(near)}" if near else f"there are {', '.join(known)}",
            hint=f"--provider {near[0]}" if near else "breakeven catalog show",
        )
    return found


def _require_processing(name: str) -> str:
    if name not in PROCESSINGS:
        raise UnknownName(
            f"unknown processing {name!r}",
            cause=f"there are {', '.join(PROCESSINGS)}",
            hint=f"--processing {(names.nearest(name, PROCESSINGS) or PROCESSINGS)[0]}",
        )
    return name


def _valid_cards(found: ModelMatch, processing: str, moment: date | datetime) -> tuple[PriceCard, ...]:
    cards = _processed(found, processing)
    label = f"{found.provider}/{found.model}"
    if isinstance(moment, datetime):
        valid = [card for card in cards if card.valid_at(moment)]
    else:
        valid = [card for card in cards if card.valid_on(moment)]
    if not valid:
        starts = min(card.valid_from for card in cards if card.valid_from is not None)
        raise UnknownName(
            f"{label} has no {processing} price on {_day(moment)}",
            cause=f"the price list has one from {starts} on; the standard price is not put in its place",
            hint=_price_command(label, f"--processing {processing} --at {starts}"),
        )
    return tuple(_resold(card, found) for card in valid)


def _processed(found: ModelMatch, processing: str) -> tuple[PriceCard, ...]:
    """The cards of one processing; a model listed as ``id:batch`` is the batch endpoint of ``id``."""
    cards = genai_source.cards(found.priced_by, found.model)
    named_by_id = tuple(card for card in cards if card.model.endswith(f":{card.processing}"))
    wanted = named_by_id or tuple(card for card in cards if card.processing == processing)
    twin = f"{found.model}:{processing}"
    if not wanted and twin.lower() in genai_source.models(found.priced_by):
        wanted = genai_source.cards(found.priced_by, twin)
    if not wanted:
        wanted = tuple(c for c in overlay.cards_of(found.priced_by, found.model) if c.processing == processing)
    if found.provider != found.priced_by:
        wanted = tuple(card for card in wanted if card.processing == "standard")
    if wanted:
        return wanted
    label = f"{found.provider}/{found.model}"
    published = sorted({card.processing for card in cards} if found.provider == found.priced_by else {"standard"})
    raise UnknownName(
        f"{label} has no published {processing} price",
        cause=f"published: {', '.join(published)}; the standard price is not put in its place",
        hint=_price_command(label, f"--processing {published[-1]}"),
    )


def _resold(card: PriceCard, found: ModelMatch) -> PriceCard:
    if found.provider == found.priced_by:
        return card
    note = f"{found.provider} lists no price of its own; this is {found.priced_by}'s list price"
    return replace(card, provider=found.provider, note=note)


def _day(moment: date | datetime) -> date:
    if isinstance(moment, datetime):
        return (moment if moment.tzinfo is None else moment.astimezone(UTC)).date()
    return moment


def _price_command(label: str, flags: str = "") -> str:
    return f"breakeven price {label} --input 1000 --output 500" + (f" {flags}" if flags else "")
