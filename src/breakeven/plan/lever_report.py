"""What each lever would save on a trace: the values that ``breakeven replay`` prints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from breakeven.catalog.evidence import Assumption
from breakeven.catalog.price_card import PriceCard
from breakeven.errors import UnknownName
from breakeven.options.replayed_bills import Saving

LeverName = Literal["response-cache", "single-flight", "prompt-cache"]
LEVERS: Final[tuple[LeverName, ...]] = ("response-cache", "single-flight", "prompt-cache")

_LATER: Final = ("routing", "batch")


def lever_named(name: str) -> LeverName:
    """The lever of that name.

    Raises:
        UnknownName: there is none, or none yet.
    """
    found = next((lever for lever in LEVERS if lever == name), None)
    if found is None:
        raise UnknownName(
            f"lever {name!r} cannot be replayed{' yet' if name in _LATER else ''}",
            cause="it comes with a later version" if name in _LATER else "there is no lever of that name",
            hint=f"--lever with one of {', '.join(LEVERS)}",
        )
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Lives:
    """For how long an answer is kept here, and a prefix at the provider, seconds; None where nothing is said."""

    answer_s: float | None = None
    prefix_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LeverResult:
    """One lever over one trace; ``unknown`` says why there is no figure, and is empty where there is one.

    ``hits`` are requests whose answer is not bought, or, of the prompt cache, requests that read from it. ``rule`` is
    what the lever does, in words, ``ttl_s`` for how long it keeps an answer or a prefix, None where it keeps none.
    ``compared`` are bill ratios of other ways to do the same.
    """

    name: LeverName
    rule: str
    ttl_s: float | None = None
    hits: int | None = None
    saving: Saving | None = None
    unknown: str = ""
    compared: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Repetition:
    """How much of a trace repeats whole requests, as shares 0..1 of its requests, input tokens and dollars.

    ``within_ttl_frac`` of the requests repeat one whose answer is still kept, for ``ttl_s``, or under way,
    ``single_flight_frac`` one that is under way. ``unknown_requests`` have no hash: they count as not repeated.
    """

    requests_frac: float
    input_tokens_frac: float
    usd_frac: float | None
    ttl_s: float
    within_ttl_frac: float
    single_flight_frac: float
    unknown_requests: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PrefixShare:
    """Share of the input tokens (0..1) in a prefix that was sent at most ``ttl_s`` before; infinite: ever before."""

    ttl_s: float
    input_tokens_frac: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LeverReport:
    """What each lever would save on a trace. ``repetition`` and ``prefixes`` are None where the trace does not tell.

    ``asked`` is the one lever that was asked for, None for all; ``span_s`` the time that the trace stands for.
    """

    trace_name: str
    requests: int
    span_s: float
    input_tokens: int
    output_tokens: int
    card: PriceCard
    asked: LeverName | None
    levers: tuple[LeverResult, ...]
    repetition: Repetition | None
    prefixes: tuple[PrefixShare, ...] | None
    prefix_min_tokens: int
    assumptions: tuple[Assumption, ...]
    notes: tuple[str, ...]
