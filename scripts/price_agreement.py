"""Random cases priced by us and by the genai-prices library: equal to the nano-dollar, or counted by class.

    python scripts/price_agreement.py [--cases 1000] [--seed 20261124]

Draws (model, provider, usage, moment, processing) until as many cases as asked for are priced by both. Exits with 1
if one of them differs. What only one of the two prices is counted, with what each does.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import genai_prices

from breakeven import units
from breakeven.catalog import genai_source
from breakeven.catalog.hosted import find_card
from breakeven.catalog.price_card import PROCESSINGS, Processing
from breakeven.catalog.pricing import price
from breakeven.catalog.usage import Usage
from breakeven.errors import BreakevenError, Unpriced

FIRST_MOMENT = datetime(2024, 1, 1, tzinfo=UTC)
LAST_MOMENT = datetime(2027, 2, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One question to both."""

    provider: str
    model: str
    usage: Usage
    at: datetime
    processing: Processing


def cases(seed: int) -> Iterator[Case]:
    """An endless, repeatable draw over everything that the library lists."""
    draw = random.Random(seed)
    listed = [(p.id, m.id) for p in genai_source.providers().values() for m in p.models]
    varied = [(p.id, m.id) for p in genai_source.providers().values() for m in p.models if m.price_variants]
    while True:
        processing = draw.choice(("standard", *PROCESSINGS))
        # Half of the variant questions go to models that have variants, or nearly all would be refused.
        provider, model = draw.choice(varied if processing != "standard" and draw.random() < 0.5 else listed)
        seconds = draw.randrange(int((LAST_MOMENT - FIRST_MOMENT).total_seconds()))
        yield Case(
            provider=provider,
            model=model,
            usage=random_usage(draw),
            at=FIRST_MOMENT + timedelta(seconds=seconds),
            processing=processing,
        )


def random_usage(draw: random.Random) -> Usage:
    """Log-uniform totals up to a million tokens; cached, reasoning and audio parts in half of the cases."""
    input_tokens, output_tokens = int(10 ** draw.uniform(0, 6)), int(10 ** draw.uniform(0, 5))
    if draw.random() < 0.5:
        return Usage(input_tokens=input_tokens, output_tokens=output_tokens)
    cuts = sorted(draw.randint(0, input_tokens) for _ in range(3))
    hour_write = draw.choice((0, 1))
    reasoning = draw.randint(0, output_tokens)
    # Few cards price audio, so that most cases have none of it.
    audio = draw.random() < 0.25
    cached_audio = draw.randint(0, cuts[0]) * audio
    return Usage(
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        cache_read_tokens=cuts[0],
        cache_write_5m_tokens=cuts[1] - cuts[0],
        cache_write_1h_tokens=(cuts[2] - cuts[1]) * hour_write,
        reasoning_tokens=reasoning,
        input_audio_tokens=draw.randint(0, input_tokens - cuts[2]) * audio + cached_audio,
        cache_read_audio_tokens=cached_audio,
        output_audio_tokens=draw.randint(0, output_tokens - reasoning) * audio,
    )


def library_nano_usd(case: Case) -> int | None:
    """What the library's public function charges, in nano-dollars; None where it finds no model."""
    usage = case.usage
    asked: Any = genai_prices.Usage(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_read_tokens=usage.cache_read_tokens,
        cache_write_tokens=usage.cache_write_5m_tokens + usage.cache_write_1h_tokens,
        cache_write_5m_tokens=usage.cache_write_5m_tokens,
        cache_write_1h_tokens=usage.cache_write_1h_tokens,
        output_reasoning_tokens=usage.reasoning_tokens,
        input_audio_tokens=usage.input_audio_tokens,
        cache_audio_read_tokens=usage.cache_read_audio_tokens,
        output_audio_tokens=usage.output_audio_tokens,
    )
    try:
        calculation = genai_prices.calc_price(
            asked,
            case.model,
            provider_id=case.provider,
            genai_request_timestamp=case.at,
            price_context=dict(genai_source.CONTEXTS[case.processing]),
        )
    except LookupError:
        return None
    return units.nano_usd(calculation.total_price)


def compare(case: Case) -> str:
    """The class of one case."""
    theirs = library_nano_usd(case)
    try:
        card = find_card(case.model, provider=case.provider, processing=case.processing, at=case.at)
        ours = price(card, case.usage).nano_usd
    except BreakevenError as error:
        return f"{_theirs(theirs)} | refused: {_refused(error)}"
    if theirs is None:
        return "finds no model under its own id | priced from the row of that id"
    if ours == theirs:
        return "equal"
    if not card.source.startswith("genai-prices"):
        return "standard price in place of a missing variant | priced from the second source, named"
    if card.model.endswith(f":{case.processing}") or card.processing != case.processing:
        return "standard price in place of a batch endpoint with its own id | priced from that id"
    return f"DIFFERENT | {card.label}"


def _theirs(nano_usd: int | None) -> str:
    if nano_usd is None:
        return "finds no model"
    return "$0.00" if nano_usd == 0 else "a price"


REFUSALS = {
    "no published price": "no price is published at all",
    "billed by": "billed by audio hours, pages, characters or messages",
    " price on ": "the variant's price starts later than the date asked for",
    "disagree about the alias": "sources disagree about an alias",
    "audio price": "audio, where only text has a price",
    "output price": "output tokens without an output price",
    "reasoning price": "output tokens without an output price",
    "cache write 1h price": "a one-hour cache write, where only the five-minute write has a price",
    " has no published": "this processing has no published price",
}
"""Refusals by what their message or cause says, the first that fits."""


def _refused(error: BreakevenError) -> str:
    said = f"{error.message} {error.cause if isinstance(error, Unpriced) else ''}"
    return next((name for text, name in REFUSALS.items() if text in said), error.message)


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Random cases priced by us and by genai-prices.")
    parser.add_argument("--cases", type=int, default=1_000, help="cases that both price")
    parser.add_argument("--seed", type=int, default=20_261_124)
    asked = parser.parse_args()
    counts: Counter[str] = Counter()
    for case in cases(asked.seed):
        counts[compare(case)] += 1
        if sum(n for name, n in counts.items() if name == "equal" or name.startswith("DIFFERENT")) >= asked.cases:
            break
    different = sum(n for name, n in counts.items() if name.startswith("DIFFERENT"))
    print(f"seed {asked.seed}: {sum(counts.values()):,} cases drawn")
    print(f"{counts.pop('equal', 0):6,}  priced by both, equal to the nano-dollar; {different} different")
    print(" count  the library says | Breakeven does instead")
    for name, count in counts.most_common():
        print(f"{count:6,}  {name}")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
