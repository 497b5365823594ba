"""Write ``catalog/data/price_overlay.csv`` from LiteLLM's price file: the second price source.

    python scripts/price_overlay.py model_prices_and_context_window_backup.json 1.106.2 2026-10-21 > price_overlay.csv

The file is in the wheel of LiteLLM (MIT). Its floats are dollars per token; a float's shortest text is the price as
written. A variant is left out where it lacks a long-context price that the standard price has, because pricing a long
request with it would be a guess.
"""

from __future__ import annotations

import csv
import json
import re
import sys
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

MODELS = {
    "openai": "gpt-4o gpt-4o-mini gpt-4.1 gpt-4.1-mini gpt-5 gpt-5-mini gpt-5-nano gpt-5.4 gpt-5.4-mini gpt-5.5 "
    "gpt-6-sol gpt-6-luna o3 o4-mini",
    "anthropic": "claude-haiku-4-5 claude-sonnet-4-5 claude-sonnet-4-6 claude-opus-4-5 claude-sonnet-5 claude-opus-5",
    "google": "gemini-2.5-flash gemini-2.5-flash-lite gemini-2.5-pro gemini-3.5-flash gemini-3.1-pro-preview",
    "mistral": "mistral-large-latest mistral-large-2512 mistral-large-4 mistral-medium-latest mistral-small-latest "
    "codestral-2508 codestral-latest pixtral-large-latest open-mistral-nemo",
    "deepseek": "deepseek-chat deepseek-reasoner deepseek-v4-flash deepseek-v4-pro deepseek-flash",
    "x-ai": "grok-4.3 grok-4.5 grok-code-fast-1",
    "groq": "openai/gpt-oss-120b openai/gpt-oss-20b",
    "cohere": "command-a-03-2025 command-r-08-2024",
    "fireworks": "deepseek-v4-flash gpt-oss-120b glm-5p3 kimi-k3",
    "together": "meta-llama/Llama-3.3-70B-Instruct-Turbo openai/gpt-oss-120b",
    "moonshotai": "kimi-k2.5 kimi-k3",
    "cerebras": "gpt-oss-120b",
}
PREFIXES = {
    "google": "gemini/",
    "x-ai": "xai/",
    "cohere": "",
    "fireworks": "fireworks_ai/",
    "together": "together_ai/",
    "moonshotai": "moonshot/",
    "openai": "",
    "anthropic": "",
}
SUFFIXES = {"standard": "", "batch": "_batches", "flex": "_flex", "priority": "_priority"}
KINDS = {
    "input_usd_per_mtok": "input_cost_per_token",
    "cache_read_usd_per_mtok": "cache_read_input_token_cost",
    "cache_write_5m_usd_per_mtok": "cache_creation_input_token_cost",
    "cache_write_1h_usd_per_mtok": "cache_creation_input_token_cost_above_1hr",
    "output_usd_per_mtok": "output_cost_per_token",
}
COLUMNS = ["provider", "model", "processing", "above_input_tokens", *KINDS, "context_window_tokens", "source", "page"]


def usd_per_mtok(usd_per_token: float) -> str:
    """Exact text of a per-token float, per million tokens."""
    amount = Decimal(repr(usd_per_token)).scaleb(6)
    return format(amount.normalize(), "f")


def thresholds(row: Mapping[str, Any], suffix: str) -> list[int]:
    """Long-context thresholds of one processing, in tokens."""
    pattern = re.compile(rf"input_cost_per_token_above_(\d+)k_tokens{suffix}")
    return sorted(int(found[1]) * 1000 for key in row if (found := pattern.fullmatch(key)))


def rows(
    provider: str, model: str, row: Mapping[str, Any], source: str, checked_on: str
) -> Iterator[dict[str, object]]:
    """One line for each processing and tier that the file prices in full."""
    for processing, suffix in SUFFIXES.items():
        complete = f"input_cost_per_token{suffix}" in row and f"output_cost_per_token{suffix}" in row
        if not complete or thresholds(row, suffix) != thresholds(row, ""):
            continue
        for above in [0, *thresholds(row, suffix)]:
            tier = f"_above_{above // 1000}k_tokens" if above else ""
            prices = {name: row.get(f"{key}{tier}{suffix}") for name, key in KINDS.items()}
            yield {
                "provider": provider,
                "model": model,
                "processing": processing,
                "above_input_tokens": above,
                **{name: usd_per_mtok(price) for name, price in prices.items() if price},
                "context_window_tokens": row.get("max_input_tokens", ""),
                "source": source,
                "checked_on": checked_on,
                "page": row.get("source", ""),
            }


def main(path: str, version: str, checked_on: str) -> None:
    """Print the overlay as CSV."""
    prices = json.loads(Path(path).read_text("utf-8"))
    columns = [*COLUMNS[:-1], "checked_on", COLUMNS[-1]]
    writer = csv.DictWriter(sys.stdout, columns, lineterminator="\n")
    writer.writeheader()
    for provider, models in MODELS.items():
        for model in models.split():
            prefix = PREFIXES.get(provider, f"{provider}/")
            key = f"{prefix}accounts/fireworks/models/{model}" if provider == "fireworks" else prefix + model
            if key not in prices:
                sys.stderr.write(f"not in the file: {key}\n")
                continue
            writer.writerows(rows(provider, model, prices[key], f"litellm {version}", checked_on))


if __name__ == "__main__":
    main(*sys.argv[1:])
