"""The one door to the formats of cost against volume: text, JSON (``breakeven/curve/1``), CSV, Markdown or HTML."""

from __future__ import annotations

from importlib import import_module

from breakeven.errors import InputError
from breakeven.plan.curve_report import CurveReport
from breakeven.render import json, markdown, text
from breakeven.render.curve import curve_body, curve_csv, curve_document

CURVE_FORMATS = ("text", "json", "csv", "markdown", "html")
"""Formats of ``breakeven curve``."""


def render_curve(report: CurveReport, output_format: str, style: text.TextStyle = text.PLAIN) -> str:
    """The curves in ``output_format``.

    Raises:
        InputError: an unknown format.
    """
    match output_format:
        case "text":
            return text.render(curve_document(report), style)
        case "json":
            return json.render("curve", curve_body(report))
        case "csv":
            return curve_csv(report)
        case "markdown":
            return markdown.render(curve_document(report))
        case "html":
            rendered: str = import_module("breakeven.render.curve_html").render(report)
            return rendered
    raise InputError(f"no format {output_format!r}", hint=f"use one of: {', '.join(CURVE_FORMATS)}")
