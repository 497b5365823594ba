"""Charts of a replay: how busy the fleet was, and how many replicas there were, over the trace's time."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from breakeven.render.charts import PALETTE, framed
from breakeven.render.document import Chart
from breakeven.serving.simulation_result import Timeline

MOST_POINTS: Final = 336
"""Points of a line; two an hour for a week."""

_HOUR_S: Final = 3_600.0


def utilization_chart(timeline: Timeline) -> Chart:
    """Share of the paid time in which the replicas computed."""
    return Chart(
        title="Utilization over time",
        description="Share of the paid replica time that was busy, in percent, by hours since the trace began.",
        spec=_area(timeline, 100 * timeline.busy_frac, "busy, percent of paid time", most=100.0),
    )


def replica_chart(timeline: Timeline) -> Chart:
    """Replicas that were paid for."""
    return Chart(
        title="Replicas over time",
        description="Replicas that were paid for, on average, by hours since the trace began.",
        spec=_area(timeline, timeline.replicas, "replicas paid for", most=max(float(timeline.replicas.max()), 1.0)),
    )


def coarser(values: NDArray[np.float64], most: int = MOST_POINTS) -> tuple[NDArray[np.float64], int]:
    """Means of neighbours, so that at most ``most`` remain, and how many each stands for."""
    group = -(-len(values) // most)
    whole = np.append(values, np.full(-len(values) % group, np.nan)).reshape(-1, group)
    return np.nanmean(whole, axis=1), group


def _area(timeline: Timeline, values: NDArray[np.float64], title: str, *, most: float) -> dict[str, object]:
    means, group = coarser(values)
    data = [{"x": place * group * timeline.bin_s / _HOUR_S, "y": float(value)} for place, value in enumerate(means)]
    data.append({"x": len(values) * timeline.bin_s / _HOUR_S, "y": data[-1]["y"]})
    encoding: dict[str, Any] = {
        "x": {"field": "x", "type": "quantitative", "title": "hours since the trace began"},
        "y": {"field": "y", "type": "quantitative", "title": title, "scale": {"domain": [0, most], "nice": True}},
    }
    mark = {"type": "area", "interpolate": "step-after", "color": PALETTE[0], "opacity": 0.55, "line": True}
    return framed({"data": {"values": data}, "mark": mark, "encoding": encoding})
