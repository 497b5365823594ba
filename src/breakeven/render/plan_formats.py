"""The one door to a plan's formats; each is loaded only when it is asked for."""

from __future__ import annotations

from importlib import import_module

from breakeven.errors import InputError
from breakeven.plan.plan import Plan
from breakeven.render import text
from breakeven.render.plan_document import plan_document

_MODULES = {
    "json": "breakeven.render.plan_json",
    "csv": "breakeven.render.plan_csv",
    "markdown": "breakeven.render.plan_markdown",
    "html": "breakeven.render.plan_html",
}

PLAN_FORMATS = ("text", *_MODULES)
"""Formats of ``breakeven plan``."""


def render_plan(plan: Plan, output_format: str, style: text.TextStyle = text.PLAIN) -> str:
    """The plan in ``output_format``; ``style`` matters to text only.

    Raises:
        InputError: an unknown format.
    """
    if output_format == "text":
        return text.render(plan_document(plan), style)
    if output_format not in _MODULES:
        raise InputError(f"no format {output_format!r}", hint=f"use one of: {', '.join(PLAN_FORMATS)}")
    rendered: str = import_module(_MODULES[output_format]).render(plan)
    return rendered
