"""``breakeven capacity`` as text, JSON (``breakeven/capacity/1``) or CSV."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from breakeven.errors import InputError
from breakeven.render import csv, json, text
from breakeven.render.csv import text_cell
from breakeven.render.document import Document, Row, Section, Table, left, right
from breakeven.serving.answers import PointAnswer
from breakeven.serving.constants import serving_classes
from breakeven.serving.edge_constants import edge_fit
from breakeven.serving.edge_points import EdgePoint, EdgePointAnswer
from breakeven.serving.points import Point
from breakeven.serving.second_opinion import Opinions, SecondOpinion

CAPACITY_FORMATS: Final = ("text", "json", "csv")
"""Formats of ``breakeven capacity``."""

TEXT_ROWS: Final = 40
"""Rows that the text shows; the other formats have all."""

_GPU_FIGURES: Final = ("output_tokens_per_s_total", "ttft_ms", "tpot_ms", "low", "high")
_BESIDE: Final = ("output_tokens_per_s_total", "ttft_ms", "tpot_ms", "refused")
_EDGE_FIGURES: Final = ("decode_tokens_per_s", "low", "high")


@dataclass(frozen=True, slots=True, kw_only=True)
class CapacityReport:
    """Answers to a file of points, in its order: what each asks, under which load, and the figures to show.

    ``fits`` say what the model's constants rest on and how wrong they were on rows that they had not seen.
    """

    kind: Literal["gpu", "edge"]
    names: tuple[str, ...]
    loads: tuple[str, ...]
    answers: tuple[PointAnswer | EdgePointAnswer, ...]
    figures: tuple[str, ...]
    fits: tuple[dict[str, Any], ...]
    beside: Opinions | None = None
    """What another program says of the same points."""

    @property
    def refusals(self) -> dict[str, int]:
        """How many rows are refused, by reason, the most frequent first."""
        return dict(Counter(answer.refused for answer in self.answers if answer.refused).most_common())

    @property
    def answered(self) -> int:
        """How many rows have figures."""
        return len(self.answers) - sum(self.refusals.values())


def gpu_report(points: Sequence[Point], answers: Sequence[PointAnswer]) -> CapacityReport:
    """The report on points of GPU servers."""
    fits = [
        {
            "name": each.name,
            "fitted_on": each.fitted_on.isoformat(),
            "measured_rows": each.measured_rows,
            "engines": each.engines,
            "source": each.source,
            "median_error_frac": each.throughput.median_error_frac,
            "p90_error_frac": each.throughput.p90_error_frac,
            "band_coverage_frac": each.throughput.coverage_frac,
        }
        for each in serving_classes().values()
    ]
    return CapacityReport(
        kind="gpu",
        names=tuple(f"{each.model} {each.precision or '(own precision)'} on {each.gpus} {each.gpu}" for each in points),
        loads=tuple(_load(each) for each in points),
        answers=tuple(answers),
        figures=_GPU_FIGURES,
        fits=tuple(fits),
    )


def edge_report(points: Sequence[EdgePoint], answers: Sequence[EdgePointAnswer]) -> CapacityReport:
    """The report on points of devices."""
    fit = edge_fit()
    body = {
        "name": "edge",
        "fitted_on": fit.fitted_on.isoformat(),
        "measured_rows": fit.measured_rows,
        "engines": "llama.cpp, ollama",
        "source": fit.source,
        "median_error_frac": fit.median_error_frac,
        "p90_error_frac": fit.p90_error_frac,
        "band_coverage_frac": fit.coverage_frac,
    }
    return CapacityReport(
        kind="edge",
        names=tuple(f"{each.model} {each.quant} on {each.device}" for each in points),
        loads=tuple(f"{each.context_tokens:,.0f} tokens of context" for each in points),
        answers=tuple(answers),
        figures=_EDGE_FIGURES,
        fits=(body,),
    )


def render_capacity(report: CapacityReport, output_format: str, style: text.TextStyle = text.PLAIN) -> str:
    """The report in ``output_format``.

    Raises:
        InputError: an unknown format.
    """
    match output_format:
        case "text":
            return text.render(capacity_document(report), style)
        case "json":
            return json.render("capacity", capacity_body(report))
        case "csv":
            return capacity_csv(report)
    raise InputError(f"no format {output_format!r}", hint=f"use one of: {', '.join(CAPACITY_FORMATS)}")


def capacity_body(report: CapacityReport) -> dict[str, Any]:
    """The fields of ``breakeven/capacity/1``: one point per row of the file, in its order."""
    return {
        "kind": report.kind,
        "answered": report.answered,
        "refused": sum(report.refusals.values()),
        "points": [
            {**_point_body(answer, report.figures), **({} if other is None else {"beside": _beside_body(other)})}
            for answer, other in zip(report.answers, _others(report), strict=True)
        ],
        "fits": list(report.fits),
        **({} if report.beside is None else {"beside": report.beside.source}),
    }


def capacity_csv(report: CapacityReport) -> str:
    """One row a point; figures are blank where the point is refused."""
    beside = () if report.beside is None else tuple(f"beside_{name}" for name in _BESIDE)
    header = ("line", "deployment", "load", *report.figures, "refused", "notes", "basis", *beside)
    rows = [
        (
            str(answer.line),
            text_cell(name),
            text_cell(load),
            *("" if (value := getattr(answer, figure)) is None else f"{value:.6g}" for figure in report.figures),
            text_cell(answer.refused),
            text_cell("; ".join(answer.notes)),
            answer.basis,
            *(_beside_cells(other) if other is not None else ()),
        )
        for name, load, answer, other in zip(report.names, report.loads, report.answers, _others(report), strict=True)
    ]
    return csv.render(header, rows)


def capacity_document(report: CapacityReport) -> Document:
    """Counts, the first rows, why rows are refused, and what the figures rest on."""
    total = len(report.answers)
    shown = f" The first {TEXT_ROWS} rows are shown; --format csv has all." if total > TEXT_ROWS else ""
    return Document(
        title=f"Capacity of {total} points",
        headline=(f"{report.answered} answered, {total - report.answered} refused.{shown}",),
        sections=(
            Section(title="Points", table=_points_table(report)),
            *_beside_sections(report),
            *_refusal_sections(report),
            Section(title="Basis", points=tuple(_fit_text(fit) for fit in report.fits)),
        ),
    )


def _points_table(report: CapacityReport) -> Table:
    titles = {
        "output_tokens_per_s_total": "output tok/s",
        "decode_tokens_per_s": "decode tok/s",
        "ttft_ms": "TTFT ms",
        "tpot_ms": "TPOT ms",
    }
    measured = [figure for figure in report.figures if figure in titles]
    rows = [
        Row(
            cells=(
                str(answer.line),
                name,
                load,
                *(_cell(getattr(answer, figure)) for figure in measured),
                _band(answer),
            )
        )
        for name, load, answer in zip(report.names, report.loads, report.answers, strict=True)
    ]
    columns = (right("line"), left("deployment", wraps=True), left("load", wraps=True))
    return Table(
        caption="Modelled throughput and latency of each point",
        columns=(*columns, *(right(titles[figure]) for figure in measured), left("80% band", wraps=True)),
        rows=tuple(rows[:TEXT_ROWS]),
    )


def _others(report: CapacityReport) -> Sequence[SecondOpinion | None]:
    return (None,) * len(report.answers) if report.beside is None else report.beside.opinions


def _beside_sections(report: CapacityReport) -> tuple[Section, ...]:
    if report.beside is None:
        return ()
    columns = (
        right("line"),
        left("deployment", wraps=True),
        *(right(title) for title in ("output tok/s", "beside", "TPOT ms", "beside")),
        left("why not", wraps=True),
    )
    rows = [
        Row(
            cells=(
                str(answer.line),
                name,
                _cell(answer.output_tokens_per_s_total if isinstance(answer, PointAnswer) else None),
                _cell(other.output_tokens_per_s_total),
                _cell(answer.tpot_ms if isinstance(answer, PointAnswer) else None),
                _cell(other.tpot_ms),
                text.printable(other.refused),
            )
        )
        for name, answer, other in zip(report.names, report.answers, report.beside.opinions, strict=True)
    ]
    caption = f"The same points as {report.beside.source} answers them, beside this model's answers"
    table = Table(caption=caption, columns=columns, rows=tuple(rows[:TEXT_ROWS]))
    return (Section(title=f"Beside {report.beside.source}", table=table),)


def _beside_body(other: SecondOpinion) -> dict[str, Any]:
    return {name: getattr(other, name) for name in _BESIDE[:-1]} | {"refused": other.refused or None}


def _beside_cells(other: SecondOpinion) -> tuple[str, ...]:
    figures = (getattr(other, name) for name in _BESIDE[:-1])
    return (*("" if figure is None else f"{figure:.6g}" for figure in figures), text_cell(other.refused))


def _refusal_sections(report: CapacityReport) -> tuple[Section, ...]:
    reasons = tuple(f"{count} x {reason}" for reason, count in list(report.refusals.items())[:TEXT_ROWS])
    return (Section(title="Refused", points=reasons),) if reasons else ()


def _point_body(answer: PointAnswer | EdgePointAnswer, figures: Sequence[str]) -> dict[str, Any]:
    return {
        "line": answer.line,
        **{figure: getattr(answer, figure) for figure in figures},
        "refused": answer.refused or None,
        "notes": list(answer.notes),
        "basis": answer.basis,
    }


def _load(point: Point) -> str:
    clients = "all at once" if point.concurrency is None else f"{point.concurrency:,.0f} clients"
    return f"{point.input_tokens:,.0f} in, {point.output_tokens:,.0f} out, {clients}"


def _cell(value: float | None) -> str:
    return "-" if value is None else f"{value:,.1f}" if value < 1_000 else f"{value:,.0f}"


def _band(answer: PointAnswer | EdgePointAnswer) -> str:
    if answer.low is None or answer.high is None:
        return f"refused: {answer.refused}"
    return f"x {answer.low:.2f} to {answer.high:.2f}"


def _fit_text(fit: dict[str, Any]) -> str:
    return (
        f"{fit['name']}: modelled, constants fitted on {fit['fitted_on']} to {fit['measured_rows']} measured rows "
        f"({fit['source']}); on rows left out of the fit the median error was {fit['median_error_frac']:.0%}, "
        f"the 90th percentile {fit['p90_error_frac']:.0%}."
    )
