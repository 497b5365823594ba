"""How long prices take: compiling the catalogue, one price, and the whole catalogue on a million requests.

python benchmarks/price_speed.py
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from datetime import date
from typing import Any

import genai_prices
import numpy as np

from breakeven.catalog.hosted import find_card, hosted_cards
from breakeven.catalog.pricing import TokenTotals, mean_lines, mean_usd_per_request, price, refusal
from breakeven.catalog.usage import Usage

ROWS = 1_000_000
DAY = date(2026, 11, 24)


def seconds(work: Callable[[], Any], repeats: int = 1) -> float:
    """Best of five, seconds a call."""
    best = float("inf")
    for _ in range(5):
        start = time.perf_counter()
        for _ in range(repeats):
            work()
        best = min(best, time.perf_counter() - start)
    return best / repeats


def compile_s() -> tuple[float, float]:
    """Import and compile in a fresh process, seconds."""
    code = (
        "import time; a = time.perf_counter(); from breakeven.catalog import genai_source as g;"
        "b = time.perf_counter();"
        "g.all_cards(); c = time.perf_counter(); print(b - a, c - b)"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    imported, compiled = map(float, printed.split())
    return imported, compiled


def main() -> None:
    """Print the figures."""
    imported, compiled = compile_s()
    print(f"import {imported * 1e3:.0f} ms, compile the catalogue {compiled * 1e3:.0f} ms")
    usage = Usage(input_tokens=800, output_tokens=400, cache_read_tokens=200)
    card = find_card("openai/gpt-4o")
    ours = seconds(lambda: price(card, usage), 10_000)
    asked: Any = genai_prices.Usage(input_tokens=800, output_tokens=400, cache_read_tokens=200)
    theirs = seconds(lambda: genai_prices.calc_price(asked, "gpt-4o", provider_id="openai"), 1_000)
    print(f"one price: {ours * 1e6:.1f} us with the card at hand, genai_prices.calc_price {theirs * 1e6:.0f} us")
    print(f"find a card: {seconds(lambda: find_card('openai/gpt-4o', at=DAY), 500) * 1e6:.0f} us")
    draw = np.random.default_rng(1)
    input_tokens = draw.lognormal(7, 1.5, ROWS).astype(np.int64)
    output_tokens = draw.lognormal(5, 1, ROWS).astype(np.int64)
    totals = TokenTotals.of(input_tokens, output_tokens)
    print(
        f"sort and sum {ROWS:,} requests: {seconds(lambda: TokenTotals.of(input_tokens, output_tokens)) * 1e3:.0f} ms"
    )
    cards = [card for card in hosted_cards(DAY) if not refusal(card, totals)]
    means = seconds(lambda: [mean_usd_per_request(card, totals) for card in cards])
    lines = seconds(lambda: [mean_lines(card, totals) for card in cards])
    print(f"{len(cards):,} cards on them: means {means * 1e3:.0f} ms, lines {lines * 1e3:.0f} ms")


if __name__ == "__main__":
    main()
