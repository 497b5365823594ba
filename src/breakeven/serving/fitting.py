"""Fitting the constants of ``constants.py`` to measured rows, and how wrong they are on rows they have not seen.

The loss is the mean absolute log error, cut at 1.5 so that a broken measurement cannot pull a constant. The search is
Nelder and Mead's simplex (Computer Journal 1965) over the logarithms of the constants.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from statistics import NormalDist
from typing import Final

import numpy as np
from numpy.typing import NDArray

from breakeven.serving import batching
from breakeven.serving.answers import Placed, placed_deployments
from breakeven.serving.batching import Waiting
from breakeven.serving.constants import Band, Spread
from breakeven.serving.corrections import engine_family
from breakeven.serving.deployment import Deployments, Floats
from breakeven.serving.roofline import Efficiencies

Constants = dict[str, float]

ENGINE_BASE: Final = "base_ms_"
"""Begins the names of constants that stand in for ``base_ms`` on the rows of one engine."""
START: Final[Mapping[str, float]] = {
    "mfu": 0.5,
    "mbu": 0.8,
    "layer_us": 80.0,
    "sync_us": 40.0,
    "host_us_per_seq": 8.0,
    "link_frac": 0.5,
    "routed_us": 0.015,
    "base_ms": 90.0,
    "queue_frac": 0.1,
}
ENGINE_BASES: Final = tuple(f"{ENGINE_BASE}{engine}" for engine in ("vllm", "sglang", "trtllm"))
FITTED: Final[Mapping[str, tuple[str, ...]]] = {
    "offline": ("mfu", "mbu", "layer_us", "sync_us", "host_us_per_seq", "link_frac", "routed_us"),
    "online-dense": ("mbu", "layer_us", "host_us_per_seq", "link_frac", "base_ms", "queue_frac"),
    "online-moe": ("mbu", "layer_us", "host_us_per_seq", "base_ms", "queue_frac", *ENGINE_BASES),
}
"""Constants that each class of rows decides. The others come from the offline fit: they belong to kernels and links,
and only offline rows saturate them on seven kinds of GPU. The time to first token of mixtures of experts differs
between engines by more than anything else explains; on the dense rows, with two models, it cannot be told."""
SHARED: Final = ("mfu", "link_frac", "routed_us")

_CUT: Final = 1.5
_FRACTIONS: Final = ("mfu", "mbu", "link_frac")
_MOST: Final = 0.95
"""No kernel reaches more of a peak; a smooth limit, at which the search does not get stuck."""
_SIMPLEX_SIZES: Final = (0.15, 0.5, 0.15)
"""Searches one after another, each from where the last ended; the wide one leaves a shallow basin."""
_TTFT_WEIGHT: Final = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredRows:
    """Measured deployments of one class: columns, measured throughput, TPOT and TTFT (NaN where not measured)."""

    deployed: Deployments
    input_tokens: Floats
    output_tokens: Floats
    concurrency: Floats
    output_tokens_per_s: Floats
    tpot_s: Floats
    ttft_s: Floats
    model_names: NDArray[np.str_]
    gpu_names: NDArray[np.str_]
    engine_names: NDArray[np.str_]
    deployment_names: NDArray[np.str_]

    @classmethod
    def of(cls, placed: Placed) -> MeasuredRows:
        """From placed points; closed-loop throughput is derived by Little's law where only latency was measured."""
        stated = {
            name: np.array([point.measured.get(name, np.nan) for point in placed.points])
            for name in ("output_tokens_per_s_total", "ttft_ms", "tpot_ms")
        }
        ttft, tpot = stated["ttft_ms"] / 1e3, stated["tpot_ms"] / 1e3
        derived = placed.concurrency * placed.output_tokens / (ttft + tpot * np.maximum(placed.output_tokens - 1, 0))
        rate = np.where(placed.is_offline, stated["output_tokens_per_s_total"], derived)
        return cls(
            deployed=placed.deployed,
            input_tokens=placed.input_tokens,
            output_tokens=placed.output_tokens,
            concurrency=placed.concurrency,
            output_tokens_per_s=rate,
            tpot_s=tpot,
            ttft_s=ttft,
            model_names=placed.model_names,
            gpu_names=placed.gpu_names,
            engine_names=np.array([point.engine for point in placed.points]),
            deployment_names=np.array([str(each) for each in placed_deployments(placed)]),
        )

    def rows(self, chosen: NDArray[np.bool_]) -> MeasuredRows:
        """The rows that are True in ``chosen``."""
        columns = {each.name: getattr(self, each.name)[chosen] for each in fields(self) if each.name != "deployed"}
        return MeasuredRows(deployed=self.deployed.rows(chosen), **columns)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogErrors:
    """log(modelled / measured) of each row; ``tpot`` and ``ttft`` are None for offline rows."""

    throughput: Floats
    tpot: Floats | None = None
    ttft: Floats | None = None


def offline_errors(rows: MeasuredRows, constants: Mapping[str, float]) -> LogErrors:
    """Errors of rows whose requests all come at once."""
    rate = batching.offline_tokens_per_s(rows.deployed, rows.input_tokens, rows.output_tokens, efficiencies(constants))
    return LogErrors(throughput=np.log(rate / rows.output_tokens_per_s))


def online_errors(rows: MeasuredRows, constants: Mapping[str, float]) -> LogErrors:
    """Errors of rows with a fixed number of clients."""
    state = batching.closed_loop(
        rows.deployed,
        rows.concurrency,
        rows.input_tokens,
        rows.output_tokens,
        efficiencies(constants),
        waiting(constants, rows.engine_names),
    )
    rate = batching.closed_loop_tokens_per_s(state, rows.concurrency, rows.output_tokens)
    return LogErrors(
        throughput=np.log(rate / rows.output_tokens_per_s),
        tpot=np.log(state.tpot_s / rows.tpot_s),
        ttft=np.log(state.ttft_s / rows.ttft_s),
    )


Errors = Callable[[MeasuredRows, Mapping[str, float]], LogErrors]


def fit(
    rows: MeasuredRows, errors: Errors, fitted: tuple[str, ...], start: Mapping[str, float] = START, steps: int = 400
) -> Constants:
    """Constants with the least loss on the rows; those not in ``fitted`` stay as in ``start``.

    Constants of single engines are fitted after the others, from the shared value, and only where the engine has rows.
    """
    shared = tuple(name for name in fitted if not name.startswith(ENGINE_BASE))
    found = _fit(rows, errors, shared, start, steps)
    present = {f"{ENGINE_BASE}{engine_family(name)}" for name in np.unique(rows.engine_names)}
    own = tuple(name for name in fitted if name.startswith(ENGINE_BASE) and name in present)
    if not own:
        return found
    others = tuple(name for name in shared if name != "base_ms")
    return _fit(rows, errors, others + own, found | dict.fromkeys(own, found["base_ms"]), steps)


def _fit(
    rows: MeasuredRows, errors: Errors, fitted: tuple[str, ...], start: Mapping[str, float], steps: int
) -> Constants:
    def constants(free: Floats) -> Constants:
        return dict(start) | {name: _bounded(name, value) for name, value in zip(fitted, free, strict=True)}

    def loss(free: Floats) -> float:
        return _loss(errors(rows, constants(free)))

    best = np.array([_free(name, start[name]) for name in fitted])
    for size in _SIMPLEX_SIZES:
        best = simplex_minimum(loss, best, steps=steps, size=size)
    return constants(best)


def _free(name: str, value: float) -> float:
    """The constant on the whole line: its logarithm, for a fraction that of its share of the most over the rest."""
    if name not in _FRACTIONS:
        return float(np.log(value))
    share = min(value / _MOST, 1 - 1e-3)
    return float(np.log(share / (1 - share)))


def _bounded(name: str, free: float) -> float:
    return float(_MOST / (1 + np.exp(-free)) if name in _FRACTIONS else np.exp(free))


def leave_one_out(
    rows: MeasuredRows, groups: NDArray[np.str_], errors: Errors, fitted: tuple[str, ...], start: Mapping[str, float]
) -> LogErrors:
    """Errors of each group's rows with constants fitted to the other groups only."""
    found: dict[str, Floats] = {}
    for group in np.unique(groups):
        held_out = groups == group
        constants = fit(rows.rows(~held_out), errors, fitted, start)
        group_errors = errors(rows.rows(held_out), constants)
        for each in fields(group_errors):
            values = getattr(group_errors, each.name)
            if values is not None:
                found.setdefault(each.name, np.full(len(groups), np.nan))[held_out] = values
    return LogErrors(**found)


def relative(log_errors: Floats) -> Floats:
    """|modelled / measured - 1| of log errors."""
    share: Floats = np.abs(np.exp(log_errors) - 1)
    return share


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """log(modelled / measured) of rows, each with constants fitted without its group, and the rows' groups."""

    log_errors: Floats
    groups: NDArray[np.str_]

    def half_width(self, chosen: NDArray[np.bool_] | None = None) -> float:
        """The deviation either way that 80% of the (chosen) rows stay below."""
        errors = self.log_errors if chosen is None else self.log_errors[chosen]
        return float(np.quantile(np.abs(errors), 0.8)) if len(errors) else 0.0


def band(*left_out: LeftOut) -> Band:
    """Factors on the modelled figure that hold 80% of the measured ones, and how often they hold on unseen groups.

    It reaches equally far either way, as the sign of an unseen model's error is unknown, and as far as the worst way
    of leaving out asks for. Errors and coverage are those of the first way; there the band of a group comes from rows
    of other groups alone.
    """
    first = left_out[0]
    half = max(each.half_width() for each in left_out)
    held = np.zeros(len(first.groups), dtype=bool)
    for group in np.unique(first.groups):
        inside = first.groups == group
        bound = max(each.half_width(~inside) for each in left_out)
        held[inside] = np.abs(first.log_errors[inside]) <= bound
    share = relative(first.log_errors)
    return Band(
        low_factor=float(np.exp(-half)),
        high_factor=float(np.exp(half)),
        median_error_frac=float(np.median(share)),
        p90_error_frac=float(np.quantile(share, 0.9)),
        coverage_frac=float(held.mean()),
    )


def spread(log_errors: Floats, groups: NDArray[np.str_], *, least_rows: int = 3) -> Spread:
    """How far deployments lie apart, and the loads of one of them, both robust to the tails.

    Each is taken from the range that holds 80% of the deviations, as if they were normal. Groups with fewer than
    ``least_rows`` rows say nothing about either.
    """
    members = [np.flatnonzero(groups == group) for group in np.unique(groups)]
    members = [rows for rows in members if len(rows) >= least_rows]
    middles = np.array([np.median(log_errors[rows]) for rows in members])
    # Deviations from a group's own middle are too small by sqrt(1 - 1 / n).
    inside = [(log_errors[rows] - log_errors[rows].mean()) / np.sqrt(1 - 1 / len(rows)) for rows in members]
    return Spread(between=_deviation(middles), within=_deviation(np.concatenate(inside)))


def _deviation(values: Floats) -> float:
    """Standard deviation of the normal distribution that would hold 80% of the values as far from 0."""
    return float(np.quantile(np.abs(values), 0.8) / NormalDist().inv_cdf(0.9))


def efficiencies(constants: Mapping[str, float]) -> Efficiencies:
    """The part of the constants that the roofline takes."""
    return Efficiencies(**{each.name: constants[each.name] for each in fields(Efficiencies)})


def waiting(constants: Mapping[str, float], engines: NDArray[np.str_]) -> Waiting:
    """The part of the constants that the time to first token takes, for rows of these engines."""
    names, where = np.unique(engines, return_inverse=True)
    own = [constants.get(f"{ENGINE_BASE}{engine_family(name)}", constants["base_ms"]) for name in names]
    return Waiting(base_ms=np.array(own)[where], queue_frac=constants["queue_frac"])


def simplex_minimum(loss: Callable[[Floats], float], start: Floats, *, steps: int, size: float = 0.15) -> Floats:
    """The point of least loss that Nelder and Mead's simplex finds from ``start``."""
    points = np.vstack([start, start + size * np.eye(len(start))])
    losses = np.array([loss(point) for point in points])
    for _ in range(steps):
        order = np.argsort(losses)
        points, losses = points[order], losses[order]
        if losses[-1] - losses[0] < 1e-6:
            break
        _step(loss, points, losses)
    best: Floats = points[int(np.argmin(losses))]
    return best


def _step(loss: Callable[[Floats], float], points: Floats, losses: Floats) -> None:
    """Replace the worst point by a better one, or shrink the simplex; both arrays change in place."""
    centre = points[:-1].mean(axis=0)
    away = centre - points[-1]
    reflected, at_reflected = centre + away, loss(centre + away)
    if at_reflected < losses[0]:
        at_expanded = loss(centre + 2 * away)
        better = at_expanded < at_reflected
        points[-1], losses[-1] = (centre + 2 * away, at_expanded) if better else (reflected, at_reflected)
    elif at_reflected < losses[-2]:
        points[-1], losses[-1] = reflected, at_reflected
    else:
        contracted = centre + (0.5 if at_reflected < losses[-1] else -0.5) * away
        at_contracted = loss(contracted)
        if at_contracted < min(at_reflected, losses[-1]):
            points[-1], losses[-1] = contracted, at_contracted
            return
        points[1:] = (points[0] + points[1:]) / 2
        losses[1:] = [loss(point) for point in points[1:]]


def _loss(errors: LogErrors) -> float:
    weights = {"throughput": 1.0, "tpot": 1.0, "ttft": _TTFT_WEIGHT}
    parts = [(getattr(errors, name), weight) for name, weight in weights.items()]
    return float(sum(w * np.mean(np.minimum(np.abs(part), _CUT)) for part, w in parts if part is not None))
