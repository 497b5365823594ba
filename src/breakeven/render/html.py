"""HTML: one page that needs nothing else; no script, no request, light and dark, every chart beside its table."""

from __future__ import annotations

import re
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from breakeven.render.charts import svg
from breakeven.render.document import Chart, Document

_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def render(document: Document) -> str:
    """The document as a page; every text in it is escaped, and control characters, which HTML forbids, replaced."""
    return _CONTROLS.sub("?", _environment().get_template("document.html").render(document=document))


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("breakeven.render"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["drawn"] = _drawn
    return environment


def _drawn(chart: Chart, place: int) -> Markup:
    """The chart's SVG, which vl_convert has escaped."""
    return Markup(svg(chart, f"chart{place}"))  # noqa: S704
