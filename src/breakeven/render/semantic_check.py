"""``breakeven cache semantic-check`` as text, JSON (``breakeven/semantic-check/1``), CSV or Markdown."""

from __future__ import annotations

from typing import Any

from breakeven.cache.semantic_check import CheckedPairs, Score
from breakeven.render import csv, json, markdown, text
from breakeven.render.csv import text_cell
from breakeven.render.document import Document, Row, Section, Table, left, right
from breakeven.render.price_lists import rendered

SHOWN_WRONG = 10
"""Near misses that text and Markdown name; JSON has all."""


def render_check(checked: CheckedPairs, output_format: str, style: text.TextStyle = text.PLAIN) -> str:
    """What would be served, by category.

    Raises:
        InputError: an unknown format.
    """
    header = ("category", "pairs", "near_miss_served", "paraphrase_served")
    return rendered(
        output_format,
        {
            "text": lambda: text.render(check_document(checked), style),
            "json": lambda: json.render("semantic-check", check_body(checked)),
            "csv": lambda: csv.render(header, [(text_cell(name), *_counts(score)) for name, score in _rows(checked)]),
            "markdown": lambda: markdown.render(check_document(checked)),
        },
    )


def check_body(checked: CheckedPairs) -> dict[str, Any]:
    """The value of the JSON document."""
    total = checked.total
    return {
        "similarity": checked.similarity,
        "embedder": checked.embedder,
        "categories": {name: _score_body(score) for name, score in checked.categories.items()},
        **_score_body(total),
        "paraphrase_served_frac": total.paraphrase_served / total.pairs,
        "served_near_misses": [
            {"category": pair.category, "base": pair.base, "near_miss": pair.near_miss} for pair in checked.wrong
        ],
    }


def check_document(checked: CheckedPairs) -> Document:
    """A table by category, and the near misses that were served."""
    total = checked.total
    share = total.paraphrase_served / total.pairs
    columns = (left("category"), right("pairs"), right("near misses served"), right("paraphrases served"))
    rows = tuple(Row(cells=(name, *_counts(score))) for name, score in _rows(checked))
    wrong = tuple(f"{pair.base} | {pair.near_miss}" for pair in checked.wrong[:SHOWN_WRONG])
    served = (Section(title="Near misses that were served", points=wrong),) if wrong else ()
    return Document(
        title="Answers to other wordings",
        headline=(
            f"{total.near_miss_served:,} of {total.pairs:,} near misses would be served a wrong answer.",
            f"{total.paraphrase_served:,} paraphrases ({share:.0%}) would be served the right one.",
        ),
        sections=(
            Section(
                title="By category",
                table=Table(caption="What would be served, by category", columns=columns, rows=rows),
                notes=(f"Cosine of at least {checked.similarity:g} by {checked.embedder}, then the lexical guard.",),
            ),
            *served,
        ),
    )


def _rows(checked: CheckedPairs) -> list[tuple[str, Score]]:
    return [*checked.categories.items(), ("total", checked.total)]


def _counts(score: Score) -> tuple[str, str, str]:
    return str(score.pairs), str(score.near_miss_served), str(score.paraphrase_served)


def _score_body(score: Score) -> dict[str, int]:
    return {
        "pairs": score.pairs,
        "near_miss_served": score.near_miss_served,
        "paraphrase_served": score.paraphrase_served,
    }
