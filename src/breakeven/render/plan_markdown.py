"""A plan as Markdown: the document that text prints, in GitHub's dialect."""

from __future__ import annotations

from breakeven.plan.plan import Plan
from breakeven.render import markdown
from breakeven.render.plan_document import plan_document


def render(plan: Plan) -> str:
    """The whole plan as Markdown."""
    return markdown.render(plan_document(plan))
