"""What an attempt used and cost: reported by the upstream, or estimated and marked; never nothing by default."""

from __future__ import annotations

from itertools import product
from typing import Final

from msgspec import Struct, structs

from breakeven.catalog.price_card import PriceCard
from breakeven.catalog.pricing import RowPricer
from breakeven.catalog.usage import Usage
from breakeven.ledger.entry import Outcome, UsageBasis
from breakeven.pipeline.relay import Relay
from breakeven.pipeline.target import Target
from breakeven.upstreams.wire import Answer, Extra, Question

_BYTES_PER_TOKEN: Final = 4
"""Typical of English text; only for estimates, which are marked as such."""

_MOST_TOKENS: Final = 1_000_000_000
"""No request has so many: a hundred times the longest context on offer is a counter that went wrong."""

NOTHING: Final = Usage()


class Consumption(Struct, frozen=True, gc=False):
    """How an attempt ended, what it used, and how that is known."""

    outcome: Outcome
    usage: Usage
    basis: UsageBasis
    processing: str = "standard"
    extras: tuple[Extra, ...] = ()


def consumption(relay: Relay, question: Question, target: Target, answer: Answer | None) -> Consumption:
    """What one attempt used. ``answer`` is the whole answer where there was one."""
    outcome = _outcome(relay)
    if answer is not None:
        stated, processing, extras = answer.usage, answer.processing, answer.extras
    elif relay.stream is not None:
        stated, processing, extras = relay.stream.usage(), relay.stream.processing(), relay.stream.extras()
    else:
        stated, processing, extras = None, None, ()
    if stated is not None and _is_possible(stated) and (outcome == "ok" or relay.stream is not None):
        usage = _at_least_delivered(stated, relay, question) if outcome != "ok" else stated
        basis: UsageBasis = "reported" if usage is stated else "estimated"
        return Consumption(outcome, usage, basis, processing or "standard", extras)
    if _billed_nothing(relay):
        return Consumption(outcome, NOTHING, "none")
    return Consumption(outcome, _estimate(relay, question, target), "estimated")


def bound_usage(question: Question, target: Target, card: PriceCard, sent: bytes | None = None) -> Usage:
    """The most that a question can use, all of its input written to a prompt cache where that may be and is dearer.

    ``sent`` is the body that asks it, if that is not the client's: it may have marks that the client's has not.

    Raises:
        InputError: the upstream will not be able to read the question.
        Unpriced: there is audio in it, or asked for, and the card has no price of audio.
    """
    most = _bound_text(question, target, card, question.body if sent is None else sent)
    return _dearest(most, question, card) if question.has_audio or question.asks_audio else most


def _dearest(most: Usage, question: Question, card: PriceCard) -> Usage:
    """As many tokens, of text or of audio, whichever costs more."""
    heard = (True, False) if question.has_audio else (False,)
    spoken = (True, False) if question.asks_audio else (False,)
    splits = [_as_audio(most, heard=all_heard, spoken=all_spoken) for all_heard, all_spoken in product(heard, spoken)]
    return max(splits, key=RowPricer(card).nano_usd)


def _as_audio(usage: Usage, *, heard: bool, spoken: bool) -> Usage:
    """As many tokens, all of the input, or of the output, being audio."""
    if heard:
        total = usage.input_tokens
        usage = Usage(input_tokens=total, input_audio_tokens=total, output_tokens=usage.output_tokens)
    return structs.replace(usage, output_audio_tokens=usage.output_tokens) if spoken else usage


def _bound_text(question: Question, target: Target, card: PriceCard, sent: bytes) -> Usage:
    """The bound with every token one of text."""
    if target.exact_usage is not None:
        return target.exact_usage(question, target.max_output_tokens)
    input_tokens = target.bound_input_tokens(question, card.context_window_tokens)
    written = input_tokens if _may_write_cache(sent, target, card) else 0
    for_an_hour = written > 0 and sent.rfind(b'"1h"') >= 0
    return Usage(
        input_tokens=input_tokens,
        cache_write_5m_tokens=0 if for_an_hour else written,
        cache_write_1h_tokens=written if for_an_hour else 0,
        output_tokens=target.bound_output_tokens(question),
    )


def _may_write_cache(sent: bytes, target: Target, card: PriceCard) -> bool:
    """Anthropic writes to its cache where it is told to; others that charge for it do so by themselves."""
    if target.upstream.wire == "anthropic":
        return sent.rfind(b'"cache_control"') >= 0
    return any(rates.cache_write_5m_usd_per_mtok is not None for rates in card.tiers)


def _is_possible(stated: Usage) -> bool:
    """Whether an upstream can mean what it states; what it cannot is estimated, as if it had stated nothing."""
    return stated.input_tokens <= _MOST_TOKENS and stated.output_tokens <= _MOST_TOKENS


def _outcome(relay: Relay) -> Outcome:
    if relay.client_gone:
        return "client_gone"
    if relay.failure is not None:
        return (
            "timeout" if relay.failure.failure.endswith("timeout") or relay.failure.failure == "deadline" else "failed"
        )
    if not 200 <= relay.status < 300:
        return "refused_by_upstream"
    if relay.stream is not None and (relay.stream.failure is not None or not relay.stream.ended):
        return "failed"
    return "ok"


def _billed_nothing(relay: Relay) -> bool:
    """An error status, or a request that never left, is not billed; what was cut off or timed out may be.

    A 504 is another's timeout: behind the gateway that gave up, the model may have answered.
    """
    if relay.failure is not None:
        return not relay.failure.sent
    return relay.status not in (0, 504) and not 200 <= relay.status < 300


def _at_least_delivered(stated: Usage, relay: Relay, question: Question) -> Usage:
    """A stream that broke off may have stated its usage so far, which may be less than was delivered."""
    delivered = relay.stream.delivered_tokens() if relay.stream is not None else 0
    more = delivered - stated.output_tokens
    if more <= 0:
        return stated
    spoken = stated.output_audio_tokens + (more if question.asks_audio else 0)
    return structs.replace(stated, output_tokens=delivered, output_audio_tokens=spoken)


def _estimate(relay: Relay, question: Question, target: Target) -> Usage:
    """About what the question and the delivered part of the answer have in tokens, no more than the bounds."""
    read = max(question.body_bytes // _BYTES_PER_TOKEN, 1) + question.attachments * target.tokens_per_attachment
    delivered = (
        relay.stream.delivered_tokens() if relay.stream is not None else relay.received_bytes // _BYTES_PER_TOKEN
    )
    written = min(delivered, target.bound_output_tokens(question))
    usage = Usage(input_tokens=read, output_tokens=written)
    return _as_audio(usage, heard=question.has_audio, spoken=question.asks_audio)
