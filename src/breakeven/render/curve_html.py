"""Cost against volume as a page: the zones in words, the chart, and its table."""

from __future__ import annotations

from dataclasses import replace

from breakeven.plan.curve_report import CurveReport
from breakeven.render import html
from breakeven.render.curve import curve_document, curve_section


def render(report: CurveReport) -> str:
    """The curves as one self-contained page."""
    document = curve_document(report)
    zones = document.sections[0]
    return html.render(replace(document, sections=(zones, curve_section(report, title="Cost a month"))))
