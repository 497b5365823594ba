"""How long prices take: compiling the catalogue, one price, and the whole catalogue on a million requests.

The peer is genai_prices, the library whose price list is compiled; the floor of pricing a million requests is sorting
their token counts once.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import Any

from measure import Figure, fresh, least_s, median_s, milliseconds, report, stage, timed

ROWS = 1_000_000
REPEATS = 5


def compiled() -> dict[str, float]:
    """Import and compile in this process."""
    stages: dict[str, float] = {}
    with stage(stages, "library"):
        import genai_prices  # noqa: F401
    with stage(stages, "import"):
        from breakeven.catalog import genai_source
    with stage(stages, "compile"):
        genai_source.all_cards()
    return stages


def starting() -> list[Figure]:
    """What a fresh process pays before its first price."""
    runs = [fresh(__file__, "compiled") for _ in range(REPEATS)]
    least = {name: min(run[name] for run in runs) for name in runs[0]}
    return [
        Figure(
            what="importing the price room",
            figure=f"{milliseconds(least['import'])} CPU",
            beside=f"after genai_prices itself, {milliseconds(least['library'])}",
        ),
        Figure(
            what="compiling the catalogue",
            figure=f"{milliseconds(least['compile'])} CPU",
            beside="every price of every day, once a process",
        ),
    ]


def one_price() -> list[Figure]:
    """One request, ours and the library's."""
    import genai_prices

    from breakeven.catalog.hosted import find_card
    from breakeven.catalog.pricing import price
    from breakeven.catalog.usage import Usage

    day = datetime.now(UTC).date()
    usage = Usage(input_tokens=800, output_tokens=400, cache_read_tokens=200)
    asked: Any = genai_prices.Usage(input_tokens=800, output_tokens=400, cache_read_tokens=200)
    card = find_card("openai/gpt-4o", at=day)
    ours = timed(lambda: price(card, usage), calls=5_000)
    found = timed(lambda: price(find_card("openai/gpt-4o", at=day), usage), calls=1_000)
    theirs = timed(lambda: genai_prices.calc_price(asked, "gpt-4o", provider_id="openai"), calls=1_000)
    beside = f"genai_prices.calc_price {milliseconds(median_s(theirs))}, which finds the model each time"
    return [
        Figure(
            what="one price, its card at hand",
            figure=f"{milliseconds(median_s(ours))} CPU",
            beside=f"{beside}: ratio {median_s(ours) / median_s(theirs):.3f}",
        ),
        Figure(
            what="one price, found by name",
            figure=f"{milliseconds(median_s(found))} CPU",
            beside=f"ratio {median_s(found) / median_s(theirs):.3f}",
        ),
    ]


def many_requests() -> list[Figure]:
    """The whole catalogue on a million requests, and the library on a thousand of them."""
    import numpy as np

    from breakeven.catalog.hosted import hosted_cards
    from breakeven.catalog.pricing import mean_usd_per_request, refusal
    from breakeven.catalog.token_totals import TokenTotals

    draw = np.random.default_rng(1)
    taken = draw.lognormal(7, 1.5, ROWS).astype(np.int64)
    given = draw.lognormal(5, 1, ROWS).astype(np.int64)
    totals = TokenTotals.of(taken, given)
    cards = [card for card in hosted_cards(datetime.now(UTC).date()) if not refusal(card, totals)]
    summed = timed(lambda: TokenTotals.of(taken, given))
    floor = timed(lambda: np.sort(taken))
    means = timed(lambda: [mean_usd_per_request(card, totals) for card in cards])
    each_s = least_s(means) / len(cards) / ROWS
    return [
        Figure(
            what=f"summing {ROWS:,} requests",
            figure=f"{milliseconds(median_s(summed))} CPU",
            beside=f"floor: sorting one column {milliseconds(median_s(floor))}",
        ),
        Figure(
            what=f"pricing them on {len(cards):,} cards",
            figure=f"{milliseconds(median_s(means))} CPU",
            beside=f"exact; {each_s * 1e12:.1f} ps a request and card",
        ),
    ]


def main() -> None:
    """Print the figures."""
    report("Prices", [*starting(), *one_price(), *many_requests()])


if __name__ == "__main__":
    if sys.argv[1:] == ["compiled"]:
        print(json.dumps(compiled()))
    else:
        main()
