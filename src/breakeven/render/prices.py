"""``breakeven price`` as text, JSON (``breakeven/price/1``) or CSV."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from breakeven.catalog.pricing import PricedUsage, PriceLine
from breakeven.errors import InputError
from breakeven.render import csv, json, text
from breakeven.render.csv import text_cell
from breakeven.render.document import Document, Row, Section, Table, left, right
from breakeven.render.money import decimal_text, price_text

PRICE_FORMATS = ("text", "json", "csv")
"""Formats of ``breakeven price``."""


def render_price(
    priced: PricedUsage, at: date | datetime, output_format: str, style: text.TextStyle = text.PLAIN
) -> str:
    """One price in ``output_format``; ``at`` is the moment that was priced.

    Raises:
        InputError: an unknown format.
    """
    match output_format:
        case "text":
            return text.render(price_document(priced, at), style)
        case "json":
            return json.render("price", price_body(priced, at))
        case "csv":
            return price_csv(priced)
    raise InputError(f"no format {output_format!r}", hint=f"use one of: {', '.join(PRICE_FORMATS)}")


def price_document(priced: PricedUsage, at: date | datetime) -> Document:
    """The total, the lines that make it up, and where the prices are from."""
    card = priced.card
    return Document(
        title=f"{card.label} on {at:%Y-%m-%d}",
        headline=(_headline(priced),),
        sections=(
            Section(
                title="Lines of one request",
                table=_lines_table(priced),
                notes=tuple(filter(None, (f"Source: {card.source}, as of {card.checked_on}.", card.note))),
            ),
        ),
    )


def _headline(priced: PricedUsage) -> str:
    total = price_text(priced.usd)
    if priced.card.is_free:
        return f"{total}: a free endpoint, rate-limited and without a service level."
    if priced.requests == 1:
        return f"{total} a request."
    return f"{total} for {priced.requests:,} requests, each {price_text(priced.usd_per_request)}."


def _lines_table(priced: PricedUsage) -> Table:
    rows = [
        Row(
            cells=(
                _line_label(line),
                f"{line.quantity:,}",
                f"{price_text(line.usd_per_unit)} per {line.unit}",
                price_text(line.usd),
            )
        )
        for line in priced.lines
    ]
    return Table(
        caption="What one request is charged for",
        columns=(left("line"), right("quantity"), right("price"), right("usd")),
        rows=tuple(rows),
    )


def _line_label(line: PriceLine) -> str:
    name = line.kind.replace("_", " ")
    return name if line.priced_as == line.kind else f"{name} (charged as {line.priced_as.replace('_', ' ')})"


def price_body(priced: PricedUsage, at: date | datetime) -> dict[str, Any]:
    """The fields of ``breakeven/price/1``; ``lines`` are exact, the total is rounded once a request."""
    card = priced.card
    return {
        "model": card.model,
        "provider": card.provider,
        "processing": card.processing,
        "label": card.label,
        "at": at.isoformat(),
        "requests": priced.requests,
        "usd": decimal_text(priced.usd),
        "nano_usd": priced.nano_usd,
        "nano_usd_per_request": priced.nano_usd_per_request,
        "lines": [line_body(line) for line in priced.lines],
        "is_free": card.is_free,
        "retired_on": card.retired_on.isoformat() if card.retired_on else None,
        "source": card.source,
        "date": card.checked_on.isoformat(),
        "note": card.note,
    }


def line_body(line: PriceLine) -> dict[str, Any]:
    """One line of one request: exact dollars, before the request is rounded."""
    fee = line.unit == "request"
    return {
        "kind": line.kind,
        "charged_as": line.priced_as,
        "quantity_requests" if fee else "quantity_tokens": line.quantity,
        "usd_per_request" if fee else "usd_per_mtok": decimal_text(line.usd_per_unit),
        "usd": decimal_text(line.usd),
    }


def price_csv(priced: PricedUsage) -> str:
    """One row a line of one request; ``usd`` is exact."""
    header = ("model", "kind", "charged_as", "quantity", "unit", "usd_per_unit", "usd", "source", "checked_on")
    card = priced.card
    rows = [
        (
            text_cell(card.label),
            line.kind,
            line.priced_as,
            decimal_text(Decimal(line.quantity).scaleb(-6) if line.unit == "Mtok" else Decimal(line.quantity)),
            line.unit,
            decimal_text(line.usd_per_unit),
            decimal_text(line.usd),
            text_cell(card.source),
            card.checked_on.isoformat(),
        )
        for line in priced.lines
    ]
    return csv.render(header, rows)
