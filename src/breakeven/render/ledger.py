"""``breakeven ledger`` as text, JSON (``breakeven/totals/1``, ``entries/1``, ``backup/1``, ``prune/1``) or CSV."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from msgspec.structs import asdict as struct_fields

from breakeven import units
from breakeven.ledger.backup import Backup
from breakeven.ledger.entry import LedgerEntry
from breakeven.ledger.retention import Pruned
from breakeven.ledger.totals import SAVED, Total, TotalsQuery
from breakeven.policy.window import NS_PER_S
from breakeven.render import csv, json, text
from breakeven.render.csv import text_cell
from breakeven.render.document import Document, Row, Section, Table, left, right
from breakeven.render.money import decimal_text, usd_text
from breakeven.render.price_lists import rendered

_COUNTS = (
    *("requests", "attempts", "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_5m_tokens"),
    *("cache_write_1h_tokens", "reasoning_tokens", "input_audio_tokens", "cache_read_audio_tokens"),
    *("output_audio_tokens", "removed_input_tokens"),
)
_TOLD = {
    "response_cache": "not bought again",
    "prompt_cache_caused": "by prompts that the gateway had cached",
    "token_reduction": "by tokens kept out",
    "prompt_cache_anyway": "by prompts that were cached anyway (nobody's credit)",
}
_AMOUNTS = ("nano_usd", "list_nano_usd", "baseline_nano_usd", *SAVED.values())


def render_totals(
    rows: Sequence[Total], query: TotalsQuery, output_format: str, style: text.TextStyle = text.PLAIN
) -> str:
    """Sums by group, one a row.

    Raises:
        InputError: an unknown format.
    """
    return rendered(
        output_format,
        {
            "text": lambda: text.render(_totals_document(rows, query), style),
            "json": lambda: json.render("totals", totals_body(rows, query)),
            "csv": lambda: csv.render((*query.by, *_COUNTS, *_AMOUNTS), [_totals_csv(row) for row in rows]),
        },
    )


def totals_body(rows: Sequence[Total], query: TotalsQuery) -> dict[str, Any]:
    """The fields of ``breakeven/totals/1``: each row has its groups by name."""
    return {
        "by": list(query.by),
        "since": moment_text(query.since_ns),
        "until": moment_text(query.until_ns),
        "timezone": query.timezone,
        "only": dict(query.only),
        "rows": [_total_body(row, query.by) for row in rows],
        "saved": {name: _amount_body(nano_usd) for name, nano_usd in _saved(rows).items()},
    }


def _saved(rows: Sequence[Total]) -> dict[str, int]:
    """What each lever saved in all groups together, nano-dollars."""
    return {name: sum(getattr(row, column) for row in rows) for name, column in SAVED.items()}


def _amount_body(nano_usd: int) -> dict[str, Any]:
    return {"nano_usd": nano_usd, "usd": decimal_text(units.usd(nano_usd))}


def _total_body(row: Total, by: Sequence[str]) -> dict[str, Any]:
    return {
        **dict(zip(by, row.group, strict=True)),
        "usd": decimal_text(units.usd(row.nano_usd)),
        **{name: getattr(row, name) for name in (*_AMOUNTS, *_COUNTS)},
    }


def moment_text(at_ns: int | None) -> str | None:
    """A moment in UTC as ISO 8601, to the microsecond; None stays None."""
    return None if at_ns is None else datetime.fromtimestamp(at_ns // 1_000 / 1_000_000, UTC).isoformat()


def _totals_csv(row: Total) -> tuple[str, ...]:
    return (*map(text_cell, row.group), *(str(getattr(row, name)) for name in (*_COUNTS, *_AMOUNTS)))


def _totals_document(rows: Sequence[Total], query: TotalsQuery) -> Document:
    columns = (
        *(left(name) for name in query.by),
        right("requests"),
        right("attempts"),
        right("input"),
        right("output"),
    )
    table = Table(caption="Totals", columns=(*columns, right("usd")), rows=tuple(map(_total_row, rows)))
    spent = usd_text(units.usd(sum(row.nano_usd for row in rows)), 4)
    requests = sum(row.requests for row in rows)
    return Document(
        title=f"Totals by {', '.join(query.by)}" if query.by else "Total",
        headline=(
            f"{spent} for {requests:,} request{'' if requests == 1 else 's'}{_stretch(query)}.",
            *_saved_lines(rows),
        ),
        sections=(Section(title="Totals", table=table),) if rows else (),
    )


def _saved_lines(rows: Sequence[Total]) -> tuple[str, ...]:
    """One sentence for what was saved, where anything was."""
    saved = _saved(rows)
    parts = [f"{usd_text(units.usd(saved[name]), 4)} {told}" for name, told in _TOLD.items() if saved[name]]
    return (f"Saved: {', '.join(parts)}.",) if parts else ()


def _stretch(query: TotalsQuery) -> str:
    since = f" from {moment_text(query.since_ns)}" if query.since_ns is not None else ""
    return since + (f" until {moment_text(query.until_ns)}" if query.until_ns is not None else "")


def _total_row(row: Total) -> Row:
    numbers = (row.requests, row.attempts, row.input_tokens, row.output_tokens)
    amount = usd_text(units.usd(row.nano_usd), 4)
    return Row(cells=(*(name or "-" for name in row.group), *(f"{number:,}" for number in numbers), amount))


def render_entries(entries: Sequence[LedgerEntry], output_format: str, style: text.TextStyle = text.PLAIN) -> str:
    """The attempts at one request.

    Raises:
        InputError: an unknown format.
    """
    bodies = [entry_body(entry) for entry in entries]
    header = tuple(name for name in bodies[0] if name != "usage")
    return rendered(
        output_format,
        {
            "text": lambda: text.render(_entries_document(entries), style),
            "json": lambda: json.render("entries", {"request_id": entries[0].request_id, "entries": bodies}),
            "csv": lambda: csv.render(header, [_entry_csv(body, header) for body in bodies]),
        },
    )


def entry_body(entry: LedgerEntry) -> dict[str, Any]:
    """One attempt as it is in the ledger; ``nano_usd`` is the effective cost."""
    body = struct_fields(entry) | {"usage": struct_fields(entry.usage)}
    nano_usd = body.pop("effective_nano_usd")
    return body | {
        "started_at": moment_text(entry.started_at_ns),
        "tags": list(entry.tags),
        "nano_usd": nano_usd,
        "usd": decimal_text(units.usd(nano_usd)),
    }


def _entry_csv(body: dict[str, Any], header: Sequence[str]) -> tuple[str, ...]:
    values = (" ".join(body[name]) if name == "tags" else body[name] for name in header)
    return tuple(
        "" if value is None else text_cell(value) if isinstance(value, str) else str(value) for value in values
    )


def _entries_document(entries: Sequence[LedgerEntry]) -> Document:
    total = usd_text(units.usd(sum(entry.effective_nano_usd for entry in entries)), 6)
    return Document(
        title=f"Request {entries[0].request_id}",
        headline=(f"{total} in {len(entries)} attempt{'' if len(entries) == 1 else 's'}.",),
        sections=tuple(_entry_section(entry) for entry in entries),
    )


def _entry_section(entry: LedgerEntry) -> Section:
    rows = [(name, str(value)) for name, value in entry_body(entry).items() if name not in {"usage", "tags"}]
    rows += [(name, f"{count:,}") for name, count in struct_fields(entry.usage).items()]
    table = Table(
        caption="One attempt",
        columns=(left("field"), left("value", wraps=True)),
        rows=tuple(Row(cells=(name, value or "-")) for name, value in [*rows, ("tags", " ".join(entry.tags))]),
    )
    return Section(title=f"Attempt {entry.attempt}: {entry.outcome}", table=table)


def render_backup(made: Backup, output_format: str, style: text.TextStyle = text.PLAIN) -> str:
    """A backup that was made.

    Raises:
        InputError: an unknown format.
    """
    body = {"path": str(made.path), "size_bytes": made.size_bytes, "entries": made.entries}
    said = f"{made.entries:,} entries, {made.size_bytes:,} bytes."
    return _report("backup", f"Backup in {made.path}", said, body, output_format, style)


def render_pruned(pruned: Pruned, output_format: str, style: text.TextStyle = text.PLAIN) -> str:
    """What retention deleted.

    Raises:
        InputError: an unknown format.
    """
    body = {"entries": pruned.entries, "before": moment_text(pruned.before_ns // NS_PER_S * NS_PER_S)}
    said = f"{pruned.entries:,} entries before {body['before']} deleted. Totals still count them."
    return _report("prune", "Old entries", said, body, output_format, style)


def _report(name: str, title: str, said: str, body: dict[str, Any], output_format: str, style: text.TextStyle) -> str:
    document = Document(title=title, headline=(said,), sections=())
    return rendered(
        output_format,
        {
            "text": lambda: text.render(document, style),
            "json": lambda: json.render(name, body),
            "csv": lambda: csv.render(tuple(body), [tuple(text_cell(str(value)) for value in body.values())]),
        },
    )
