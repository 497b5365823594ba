"""A plan as a page: the document that text prints, with two charts after the candidates."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from breakeven.options.option import Option
from breakeven.plan.curve_report import CurveReport, curve_points, curve_report
from breakeven.plan.plan import Plan
from breakeven.render import html
from breakeven.render.curve import curve_section
from breakeven.render.document import Section
from breakeven.render.plan_document import plan_document
from breakeven.render.plan_latency import latency_section

DRAWN_OPTIONS = 6
"""Lines of the volume chart: the chosen option, the cheapest of each kind, then the next cheapest."""

_POINTS_PER_DECADE = 8
_DECADES_EACH_WAY = 3
_HIGHEST_REQUESTS_PER_DAY = 1_000_000_000


def render(plan: Plan) -> str:
    """The whole plan as one self-contained page."""
    document = plan_document(plan)
    first, *others = document.sections
    return html.render(replace(document, sections=(first, *_chart_sections(plan), *others)))


def _chart_sections(plan: Plan) -> Iterator[Section]:
    yield curve_section(volume_report(plan), title="Cost against volume")
    latency = latency_section(plan)
    if latency is not None:
        yield latency


def volume_report(plan: Plan) -> CurveReport:
    """The curves of the leading options, three decades of volume below and above today's, and their own crossings.

    The plan's break-even zones may name options that are not drawn, so a rule at one of them would cross nothing.
    """
    options = leading_options(plan)
    return CurveReport(
        workload=plan.workload,
        labels=tuple(option.label for option in options),
        points=curve_points(options, chart_volumes(plan.workload.requests_per_day)),
        crossings=curve_report(plan.workload, options).crossings,
    )


def leading_options(plan: Plan) -> Sequence[Option]:
    """The chosen option, the cheapest of each kind, then the next cheapest, up to `DRAWN_OPTIONS`."""
    by_amount = sorted(plan.options, key=lambda option: option.usd_per_month)
    best_of_kind = {option.kind: option for option in reversed(by_amount)}
    wanted = [plan.chosen_option, *best_of_kind.values(), *by_amount]
    return list({option.label: option for option in wanted}.values())[:DRAWN_OPTIONS]


def chart_volumes(requests_per_day: int) -> list[int]:
    """Whole volumes, evenly spaced on a logarithmic axis around today's, which is one of them."""
    steps = range(-_DECADES_EACH_WAY * _POINTS_PER_DECADE, _DECADES_EACH_WAY * _POINTS_PER_DECADE + 1)
    volumes = {round(requests_per_day * 10 ** (step / _POINTS_PER_DECADE)) for step in steps}
    return sorted(volume for volume in volumes if 1 <= volume <= _HIGHEST_REQUESTS_PER_DAY)
