"""``breakeven audit`` as text, JSON (``breakeven/audit/1``), CSV, Markdown or HTML."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from breakeven import units
from breakeven.render import csv, html, json, markdown, text
from breakeven.render.csv import text_cell
from breakeven.render.document import Document, Row, Section, Table, left, right
from breakeven.render.money import decimal_text, usd_text
from breakeven.render.price_lists import rendered
from breakeven.review.audit import PromptAudit
from breakeven.review.finding import Finding

_HEADER = ("rule_id", "title", "requests", "usd_per_month_now", "usd_per_month_after", "quality_risk", "fix")


def render_audit(audit: PromptAudit, output_format: str, style: text.TextStyle = text.PLAIN) -> str:
    """The findings, those of the most dollars first.

    Raises:
        InputError: an unknown format.
    """
    return rendered(
        output_format,
        {
            "text": lambda: text.render(_document(audit), style),
            "json": lambda: json.render("audit", audit_body(audit)),
            "csv": lambda: csv.render(_HEADER, [_csv_row(audit, finding) for finding in audit.findings]),
            "markdown": lambda: markdown.render(_document(audit)),
            "html": lambda: html.render(_document(audit)),
        },
    )


def audit_body(audit: PromptAudit) -> dict[str, Any]:
    """The fields of ``breakeven/audit/1``."""
    return {
        "requests": audit.requests,
        "usage_estimated_requests": audit.estimated,
        "hours": audit.stretch.hours,
        "hours_basis": "assumed" if audit.stretch.stated else "measured",
        "priced_on": audit.priced_on.isoformat(),
        "nano_usd": audit.spent_nano_usd,
        "usd_per_month": decimal_text(audit.stretch.usd_per_month(audit.spent_nano_usd)),
        "findings": [_finding_body(audit, finding) for finding in audit.findings],
    }


def _finding_body(audit: PromptAudit, finding: Finding) -> dict[str, Any]:
    now, after = audit.stretch.usd_per_month(finding.now_nano_usd), audit.stretch.usd_per_month(finding.after_nano_usd)
    return {
        "rule_id": finding.rule_id,
        "title": finding.title,
        "requests": finding.requests,
        "usd_per_month_now": decimal_text(now),
        "usd_per_month_after": decimal_text(after),
        "quality_risk": finding.quality_risk,
        "evidence": list(finding.evidence),
        "fix": finding.fix,
    }


def _csv_row(audit: PromptAudit, finding: Finding) -> tuple[str, ...]:
    body = _finding_body(audit, finding)
    return tuple(text_cell(value) if isinstance(value := body[name], str) else str(value) for name in _HEADER)


def _document(audit: PromptAudit) -> Document:
    spent = usd_text(audit.stretch.usd_per_month(audit.spent_nano_usd))
    saved = usd_text(audit.stretch.usd_per_month(sum(finding.saved_nano_usd for finding in audit.findings)))
    found = f"{saved} of {spent} a month need not be spent." if audit.findings else "Nothing was found."
    return Document(
        title=f"Audit of {audit.requests:,} request{'' if audit.requests == 1 else 's'}",
        headline=(found,),
        sections=(
            *((_table(audit),) if audit.findings else ()),
            *(_section(audit, finding) for finding in audit.findings),
            Section(title="How this was counted", points=tuple(_basis(audit))),
        ),
    )


def _table(audit: PromptAudit) -> Section:
    rows = [
        Row(
            cells=(
                finding.title,
                f"{finding.requests:,}",
                usd_text(audit.stretch.usd_per_month(finding.now_nano_usd)),
                usd_text(audit.stretch.usd_per_month(finding.after_nano_usd)),
                finding.quality_risk,
            )
        )
        for finding in audit.findings
    ]
    columns = (
        left("finding", wraps=True),
        right("requests"),
        right("usd/month now"),
        right("after"),
        left("risk to answers"),
    )
    return Section(title="Findings", table=Table(caption="Findings", columns=columns, rows=tuple(rows)))


def _section(audit: PromptAudit, finding: Finding) -> Section:
    saved = usd_text(audit.stretch.usd_per_month(finding.saved_nano_usd))
    return Section(
        title=f"{finding.rule_id}: {saved} a month", points=finding.evidence, sentences=(f"Fix: {finding.fix}.",)
    )


def _basis(audit: PromptAudit) -> Iterator[str]:
    stretch = "as stated" if audit.stretch.stated else "from the first timestamp to the last"
    yield f"the log covers {audit.stretch.hours:,.1f} hours {stretch}; a month has {units.HOURS_PER_MONTH}"
    yield f"prices of {audit.priced_on.isoformat()}; each finding is counted on what the ones before it left"
    if audit.estimated:
        yield f"{audit.estimated:,} requests state no usage: their tokens are estimated at four bytes each"
