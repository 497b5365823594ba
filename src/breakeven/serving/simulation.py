"""Replay a trace through a fleet: arrays in, latencies and utilization out; or piece by piece, in constant memory."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from breakeven.errors import InputError
from breakeven.serving.compiled import is_compiled
from breakeven.serving.engine import EngineCoefficients
from breakeven.serving.fleet import Fleet
from breakeven.serving.replay_setup import loss_columns, new_state
from breakeven.serving.replay_state import (
    MOST_SPAN_S,
    TICKS_PER_S,
    Replica,
    free_requests,
    kept_columns,
    records,
)
from breakeven.serving.simulation_result import SimulationResult, result_of

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FIRST_SLOTS: Final = 1_024
"""Requests in the system for which there is room at first; the room doubles when it is full."""


def simulate(
    arrivals_s: Floats,
    input_tokens: Ints,
    output_tokens: Ints,
    engine: EngineCoefficients,
    fleet: Fleet,
    *,
    starts_at_clock_s: float = 0.0,
    keep_requests: bool = False,
) -> SimulationResult:
    """Serve requests, in order of arrival, on a fleet.

    Args:
        arrivals_s: seconds, ascending, shape (n,).
        input_tokens: tokens of each prompt, shape (n,); below 1 counts as 1.
        output_tokens: tokens of each answer, shape (n,); below 1 counts as 1.
        engine: step times and limits of one replica.
        fleet: replicas, dispatch, autoscaling and the requirement.
        starts_at_clock_s: time of day of second 0, which a scheduled policy needs.
        keep_requests: keep TTFT and duration of each request, 16 bytes a request.

    Raises:
        InputError: arrivals that are not in order, not finite, or span more than 194 days.
    """
    running = Simulation(engine, fleet, starts_at_clock_s, len(arrivals_s) if keep_requests else 0)
    running.feed(arrivals_s, input_tokens, output_tokens)
    return running.finish()


class Simulation:
    """A replay in progress.

    Its memory grows with the requests that are in the system at once, and with those spilled, not with the trace.
    """

    def __init__(
        self,
        engine: EngineCoefficients,
        fleet: Fleet,
        starts_at_clock_s: float = 0.0,
        kept_requests: int = 0,
        *,
        skips: bool = True,
    ) -> None:
        """Start with an empty fleet; ``skips = False`` takes every step by itself, which changes nothing but speed."""
        self._loop: Any = import_module("breakeven.serving.replay_fleet")  # late: numba takes half a second
        self._engine = engine
        self._spills = fleet.spill is not None
        self._state: Any = new_state(engine, fleet, starts_at_clock_s, skips=skips)
        self._fleet = self._loop.Fleet(
            replicas=records(Replica, fleet.most_replicas),
            slots=free_requests(FIRST_SLOTS),
            kept=kept_columns(kept_requests),
            losses=loss_columns(fleet),
        )
        self._last_s = 0.0
        self._refused = 0
        self._spilled: list[Ints] = []
        self._loop.start(self._state, self._fleet)

    def feed(self, arrivals_s: Floats, input_tokens: Ints, output_tokens: Ints) -> None:
        """Let the next requests arrive; none of them before those already fed.

        Raises:
            InputError: as for `simulate`.
        """
        self._check_order(arrivals_s)
        inputs, outputs = np.maximum(input_tokens, 1), np.maximum(output_tokens, 1)
        fits = (inputs + outputs <= self._engine.longest_request_tokens) | self._spills
        self._refused += int(len(fits) - fits.sum())
        told = (_tick_column(arrivals_s[fits]), inputs[fits], outputs[fits], np.zeros(int(fits.sum())))
        columns = self._loop.Columns(*map(_column, told))
        row = 0
        while (row := self._loop.receive(columns, row, self._state, self._fleet)) < len(columns.arrival):
            taken = self._fleet.slots
            self._fleet = self._fleet._replace(slots=free_requests(len(taken), taken))
            self._state.free = len(taken)
        if self._spills:
            sent = np.asarray(columns.spilled, dtype=np.bool_)
            self._spilled.append(np.stack([input_tokens[sent], output_tokens[sent]]).astype(np.int64))

    def finish(self) -> SimulationResult:
        """Serve what is still there; no more may be fed after it.

        Raises:
            InputError: the fleet is so overloaded that it would take longer than 194 days.
        """
        self._loop.finish(self._state, self._fleet)
        if self._state.in_system > 0:
            raise InputError(
                "the fleet cannot serve the trace",
                cause=f"{self._state.in_system:,} requests are not answered after 194 days",
                hint="more replicas, or a faster deployment",
            )
        spilled = np.concatenate(self._spilled or [np.zeros((2, 0), dtype=np.int64)], axis=1)
        return result_of(self._state, self._fleet.kept, self._refused, spilled)

    def _check_order(self, arrivals_s: Floats) -> None:
        if len(arrivals_s) == 0:
            return
        if not np.isfinite(arrivals_s).all() or arrivals_s[0] < self._last_s or (np.diff(arrivals_s) < 0).any():
            raise InputError(
                "requests must be in order of arrival",
                cause="a time is before the one above it, or is not a number",
                hint="sort the trace by time",
            )
        self._last_s = float(arrivals_s[-1])
        if self._last_s > MOST_SPAN_S:
            raise InputError(
                "the trace is too long to be replayed",
                cause=f"it spans {self._last_s / 86_400:,.0f} days; at most 194 are replayed",
                hint="replay a part of it",
            )


def _tick_column(arrivals_s: Floats) -> Ints:
    return np.rint(arrivals_s * TICKS_PER_S).astype(np.int64)


def _column(values: Any) -> Any:
    """A column as the loop reads it fastest: an array of 64-bit integers, or a list without numba."""
    column = np.ascontiguousarray(values, dtype=np.int64)
    return column if is_compiled() else column.tolist()
