"""Correcting the model for a deployment from a few measurements of it.

The logarithm of measured over modelled time is taken to be a constant of the deployment plus noise. Both spreads were
measured on published runs (`Spread`), so the constant's estimate is the mean of the points, shrunk toward 0 as normal
theory says: by ``n / (n + within^2 / between^2)``. A deployment far from all others is not shrunk by more than one
standard error of that mean. (Efron and Morris, Limiting the risk of Bayes and empirical Bayes estimators, JASA 1972.)
"""

from __future__ import annotations

import datetime
import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist
from typing import Final

import numpy as np
from numpy.typing import NDArray

from breakeven.serving.answers import Placed, modelled, place, placed_deployments, refusals
from breakeven.serving.benchmark_reports import StatedDeployment
from breakeven.serving.constants import Spread, serving_classes
from breakeven.serving.corrections import Correction, Corrections, Deployment, EdgeCorrection, Factor
from breakeven.serving.edge_constants import edge_fit
from breakeven.serving.edge_points import EdgePoint, place_edge, seconds_per_token
from breakeven.serving.measurements import Measurements, read_measurements
from breakeven.serving.observed_load import Observed
from breakeven.serving.points import Point

Floats = NDArray[np.float64]

_BAND_Z: Final = NormalDist().inv_cdf(0.9)
"""80% of a normal distribution lie within this many standard deviations of its middle."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Corrections from one set of measurements, and the rows that could not be used: (line, why).

    ``observed`` are the loads of real requests among the measurements.
    """

    corrections: Corrections
    unused: tuple[tuple[int, str], ...]
    observed: tuple[Observed, ...] = ()


Reader = Callable[[Path, StatedDeployment], Measurements]
"""Measurements of a file, and of what the user says about it."""


def calibrate(points: Sequence[Point], *, source: str, on: datetime.date) -> Calibration:
    """One correction for each deployment among the points.

    Args:
        points: measured rows; those of one deployment may differ in lengths and load.
        source: where they come from, for the record.
        on: the date to record.
    """
    placed, refused = place(points)
    unused = [(answer.line, answer.refused) for answer in refused]
    if placed is None:
        return Calibration(corrections=Corrections(), unused=tuple(unused))
    tpot, ttft, why_not = _log_ratios(placed)
    unused += [(point.line, why) for point, why in zip(placed.points, why_not, strict=True) if why]
    groups: defaultdict[Deployment, list[int]] = defaultdict(list)
    for index, deployment in enumerate(placed_deployments(placed)):
        if not why_not[index]:
            groups[deployment].append(index)
    found = [
        _correction(deployment, tpot[rows], ttft[rows], _class_name(placed, rows[0]), source=source, on=on)
        for deployment, rows in groups.items()
    ]
    return Calibration(corrections=Corrections(servers=tuple(found)), unused=tuple(sorted(unused)))


def calibrate_devices(points: Sequence[EdgePoint], *, source: str, on: datetime.date) -> Calibration:
    """One correction for each device among the points."""
    placed, refused = place_edge(points)
    unused = [(answer.line, answer.refused) for answer in refused]
    if placed is None:
        return Calibration(corrections=Corrections(), unused=tuple(unused))
    classes = [edge_fit().of(name) for name in placed.device_classes]
    modelled_s = seconds_per_token(placed, classes)
    groups: defaultdict[str, list[float]] = defaultdict(list)
    for point, seconds in zip(placed.points, modelled_s, strict=True):
        if point.decode_tokens_per_s > 0:
            groups[point.device].append(-float(np.log(point.decode_tokens_per_s * seconds)))
        else:
            unused.append((point.line, "no decode speed was measured"))
    spread = edge_fit().spread
    found = []
    for device, ratios in groups.items():
        low, high = band(spread, len(ratios))
        factor = fitted_factor(np.array(ratios), spread)
        found.append(
            EdgeCorrection(
                device=device, decode=factor, low_factor=low, high_factor=high, calibrated_on=on, source=source
            )
        )
    return Calibration(corrections=Corrections(devices=tuple(found)), unused=tuple(sorted(unused)))


def shrunk(log_ratios: Floats, spread: Spread) -> float:
    """The deployment's constant: the mean of its log ratios, shrunk toward 0 by one standard error at most."""
    count = len(log_ratios)
    if not count:
        return 0.0
    mean = float(log_ratios.mean())
    standard_error = spread.within / math.sqrt(count)
    away = abs(mean) * (1 - count / (count + (spread.within / spread.between) ** 2))
    return math.copysign(abs(mean) - min(away, standard_error), mean)


def fitted_factor(log_ratios: Floats, spread: Spread) -> Factor:
    """The factor that some log ratios of measured over modelled time give, with its error before and after."""
    count = len(log_ratios)
    left_out = [shrunk(np.delete(log_ratios, index), spread) - log_ratios[index] for index in range(count)]
    return Factor(
        value=float(np.exp(shrunk(log_ratios, spread))),
        points=count,
        error_before_frac=_median_error(-log_ratios),
        error_after_frac=_median_error(np.array(left_out)) if count > 1 else None,
    )


def band(spread: Spread, points: int) -> tuple[float, float]:
    """Factors between which 80% of measured over corrected throughput lie: noise, and what the points leave open."""
    within, between = spread.within**2, spread.between**2
    left_open = within * between / (points * between + within)
    half = _BAND_Z * float(np.sqrt(within + left_open))
    return float(np.exp(-half)), float(np.exp(half))


def _correction(
    deployment: Deployment, tpot: Floats, ttft: Floats, name: str, *, source: str, on: datetime.date
) -> Correction:
    found = serving_classes()[name]
    waits = ttft[np.isfinite(ttft)]
    low, high = band(found.tpot_spread, len(tpot))
    return Correction(
        deployment=deployment,
        tpot=fitted_factor(tpot, found.tpot_spread),
        ttft=fitted_factor(waits, found.ttft_spread) if len(waits) else None,
        low_factor=low,
        high_factor=high,
        calibrated_on=on,
        source=source,
    )


def _log_ratios(placed: Placed) -> tuple[Floats, Floats, list[str]]:
    """log(measured / modelled) of TPOT and TTFT (NaN where not measured), and why a row cannot be used."""
    rate, ttft, tpot = modelled(placed)
    stated = {
        name: np.array([point.measured.get(name, np.nan) for point in placed.points])
        for name in ("output_tokens_per_s_total", "ttft_ms", "tpot_ms")
    }
    with np.errstate(invalid="ignore", divide="ignore"):
        by_tpot = np.log(stated["tpot_ms"] / 1e3 / tpot)
        by_rate = np.log(rate / stated["output_tokens_per_s_total"])
        by_ttft = np.where(placed.is_offline, np.nan, np.log(stated["ttft_ms"] / 1e3 / ttft))
    # Offline rows are held to their throughput; a row with clients to its TPOT, or else to its throughput.
    first, second = np.where(placed.is_offline, by_rate, by_tpot), np.where(placed.is_offline, np.nan, by_rate)
    ratio = np.where(np.isfinite(first), first, second)
    why = [str(text) for text in refusals(placed)]
    unmeasured = "no tpot_ms and no output_tokens_per_s_total was measured"
    return ratio, by_ttft, [text or ("" if np.isfinite(r) else unmeasured) for text, r in zip(why, ratio, strict=True)]


def _class_name(placed: Placed, row: int) -> str:
    if placed.is_offline[row]:
        return "offline"
    return "online-moe" if placed.deployed.is_moe[row] else "online-dense"


def _median_error(log_errors: Floats) -> float:
    return float(np.median(np.abs(np.exp(log_errors) - 1)))


def calibrate_files(
    paths: Sequence[Path],
    stated: StatedDeployment,
    *,
    on: datetime.date | None = None,
    read_file: Reader = read_measurements,
) -> Calibration:
    """Corrections from files of measurements; points of one deployment are taken together, whatever file they are in.

    Raises:
        InputError: a file cannot be read or leaves something open; see ``measurements.read_measurements``.
    """
    day = on or datetime.datetime.now(datetime.UTC).date()
    read = [read_file(path, stated) for path in paths]
    tools = dict.fromkeys(each.tool for each in read)
    source = f"{', '.join(dict.fromkeys(path.name for path in paths))} ({', '.join(tools)})"
    servers = calibrate([point for each in read for point in each.servers], source=source, on=day)
    devices = calibrate_devices([point for each in read for point in each.devices], source=source, on=day)
    return Calibration(
        corrections=servers.corrections.with_new(devices.corrections),
        unused=servers.unused + devices.unused,
        observed=tuple(each.observed for each in read if each.observed is not None),
    )
