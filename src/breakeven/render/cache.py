"""``breakeven cache`` as text, JSON (``breakeven/cache-stats/1``, ``breakeven/cache-flush/1``) or CSV."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from breakeven.cache.cache_file import EVERYONE, CacheStats, Flushed
from breakeven.cache.semantic_evidence import RouteEvidence
from breakeven.policy.semantic_bound import upper_bound
from breakeven.policy.window import NS_PER_S
from breakeven.render import csv, json, text
from breakeven.render.csv import text_cell
from breakeven.render.document import Document, Row, Section, Table, left, right
from breakeven.render.ledger import moment_text
from breakeven.render.price_lists import rendered


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheReport:
    """What is in a cache file, and how answers to other wordings came out, by route."""

    path: Path
    stats: CacheStats
    evidence: tuple[RouteEvidence, ...]


def render_stats(report: CacheReport, output_format: str, style: text.TextStyle = text.PLAIN) -> str:
    """What is in a cache; CSV has its counts.

    Raises:
        InputError: an unknown format.
    """
    body = _stats_body(report.stats, report.path) | {"other_wordings": list(map(_evidence_body, report.evidence))}
    flat = {name: value for name, value in body.items() if not isinstance(value, list)}
    return rendered(
        output_format,
        {
            "text": lambda: text.render(_stats_document(report), style),
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


def _evidence_body(told: RouteEvidence) -> dict[str, Any]:
    seen = told.evidence
    return {
        "route": told.route,
        "compared": seen.compared,
        "wrong": seen.wrong,
        "wrong_frac_upper": upper_bound(seen),
        "promised_frac": told.promised_frac,
        "clears": seen.serving,
        "alarms": seen.alarms,
        "updated_at": _moment(told.updated_at_s),
    }


def _evidence_section(evidence: tuple[RouteEvidence, ...]) -> tuple[Section, ...]:
    columns = (left("model"), right("compared"), right("wrong"), right("at most"), right("promised"), left("served"))
    rows = tuple(
        Row(
            cells=(
                told.route,
                f"{told.evidence.compared:,}",
                f"{told.evidence.wrong:,}",
                f"{upper_bound(told.evidence):.2%}",
                f"{told.promised_frac:.2%}",
                "yes" if told.evidence.serving else "not yet",
            )
        )
        for told in evidence
    )
    table = Table(caption="Answers to other wordings that were compared", columns=columns, rows=rows)
    note = "At most: the 95% bound on the share of wrong answers. In shadow mode nothing is served."
    return (Section(title="Answers to other wordings", table=table, notes=(note,)),) if rows else ()


def _stats_document(report: CacheReport) -> Document:
    stats = report.stats
    said = f"{stats.answers:,} answers, {stats.expired:,} of them expired, in {stats.used_bytes:,} bytes."
    rows = tuple(
        Row(cells=("everyone" if tenant == EVERYONE else tenant, f"{epoch:,}")) for tenant, epoch in stats.epochs
    )
    points = () if stats.least_used_at_s is None else (f"Longest unused since {_moment(stats.least_used_at_s)}.",)
    table = Table(caption="How often answers were flushed", columns=(left("tenant"), right("flushes")), rows=rows)
    flushes = (Section(title="Flushed", table=table),) if rows else ()
    sections = (*flushes, *_evidence_section(report.evidence))
    return Document(title=f"Cache in {report.path}", headline=(said, *points), sections=sections)


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
