"""``breakeven cache`` as text, JSON (``breakeven/cache-stats/1``, ``breakeven/cache-flush/1``) or CSV."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from breakeven.cache.cache_file import EVERYONE, CacheStats, Flushed
from breakeven.policy.window import NS_PER_S
from breakeven.render import csv, json, text
from breakeven.render.csv import text_cell
from breakeven.render.document import Document, Row, Section, Table, left, right
from breakeven.render.ledger import moment_text
from breakeven.render.price_lists import rendered


def render_stats(stats: CacheStats, path: Path, output_format: str, style: text.TextStyle = text.PLAIN) -> str:
    """What is in a cache.

    Raises:
        InputError: an unknown format.
    """
    body = _stats_body(stats, path)
    flat = {name: value for name, value in body.items() if name != "flushes"}
    return rendered(
        output_format,
        {
            "text": lambda: text.render(_stats_document(stats, path), style),
            "json": lambda: json.render("cache-stats", body),
            "csv": lambda: csv.render(tuple(flat), [tuple(map(_cell, flat.values()))]),
        },
    )


def _stats_body(stats: CacheStats, path: Path) -> dict[str, Any]:
    return {
        "path": str(path),
        "answers": stats.answers,
        "expired": stats.expired,
        "used_bytes": stats.used_bytes,
        "file_bytes": stats.file_bytes,
        "least_used_at": _moment(stats.least_used_at_s),
        "next_expiry": _moment(stats.next_expiry_s),
        "flushes": [{"tenant": tenant or None, "flushes": epoch} for tenant, epoch in stats.epochs],
    }


def _moment(at_s: int | None) -> str | None:
    return None if at_s is None else moment_text(at_s * NS_PER_S)


def _stats_document(stats: CacheStats, path: Path) -> Document:
    said = f"{stats.answers:,} answers, {stats.expired:,} of them expired, in {stats.used_bytes:,} bytes."
    rows = tuple(
        Row(cells=("everyone" if tenant == EVERYONE else tenant, f"{epoch:,}")) for tenant, epoch in stats.epochs
    )
    points = () if stats.least_used_at_s is None else (f"Longest unused since {_moment(stats.least_used_at_s)}.",)
    table = Table(caption="How often answers were flushed", columns=(left("tenant"), right("flushes")), rows=rows)
    flushes = (Section(title="Flushed", table=table),) if rows else ()
    return Document(title=f"Cache in {path}", headline=(said, *points), sections=flushes)


def render_flushed(flushed: Flushed, output_format: str, style: text.TextStyle = text.PLAIN) -> str:
    """What was flushed.

    Raises:
        InputError: an unknown format.
    """
    body = {"tenant": flushed.tenant, "epoch": flushed.epoch, "answers": flushed.answers}
    whose = "everyone" if flushed.tenant is None else flushed.tenant
    deleted = "" if flushed.answers is None else f" {flushed.answers:,} were deleted."
    said = f"No answer of {whose} from before now is served any more.{deleted}"
    return rendered(
        output_format,
        {
            "text": lambda: text.render(Document(title="Flushed", headline=(said,), sections=()), style),
            "json": lambda: json.render("cache-flush", body),
            "csv": lambda: csv.render(tuple(body), [tuple(map(_cell, body.values()))]),
        },
    )


def _cell(value: object) -> str:
    return "" if value is None else text_cell(value) if isinstance(value, str) else str(value)
