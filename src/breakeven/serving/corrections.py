"""What measurements of a deployment change about its modelled speed: a few factors, and how far they are to be trusted.

A correction is a value. Whoever computes capacity is handed `Corrections` or none; nothing is looked up on the way.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from breakeven.catalog.accelerators import Accelerator
from breakeven.catalog.edge_devices import EdgeDevice
from breakeven.catalog.open_models import OpenModel
from breakeven.catalog.precisions import Precision

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_ENGINES: Final = {"tensorrt": "trtllm", "trt": "trtllm"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """What a correction belongs to, in the catalogue's names; ``engine`` is its family, empty where unstated."""

    model: str
    accelerator: str
    precision: str
    accelerators: int
    tensor_parallel: int
    data_parallel: int = 1
    engine: str = ""

    def __str__(self) -> str:
        split = f"tp{self.tensor_parallel}" + (f" dp{self.data_parallel}" if self.data_parallel > 1 else "")
        engine = f" in {self.engine}" if self.engine else ""
        return f"{self.model} {self.precision} on {self.accelerators} {self.accelerator} {split}{engine}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Factor:
    """Measured over modelled time, from ``points`` measurements, shrunk toward 1 by how few they are.

    ``error_before_frac`` is the median error of the model on those points, ``error_after_frac`` that of the corrected
    model on points that its factor had not seen: each was left out in turn (None with a single point).
    """

    value: float
    points: int
    error_before_frac: float
    error_after_frac: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """Factors of one deployment; ``ttft`` is None where no time to first token was measured.

    ``low_factor`` and ``high_factor`` bound 80% of measured over corrected throughput.
    """

    deployment: Deployment
    tpot: Factor
    ttft: Factor | None
    low_factor: float
    high_factor: float
    calibrated_on: datetime.date
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeCorrection:
    """The factor on one device's seconds per token, whatever model it runs; bounds as in `Correction`."""

    device: str
    decode: Factor
    low_factor: float
    high_factor: float
    calibrated_on: datetime.date
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FactorColumns:
    """Factors of n rows: 1 where nothing was measured, with ``points`` 0 and NaN as bounds there."""

    tpot: Floats
    ttft: Floats
    low: Floats
    high: Floats
    points: Ints

    @classmethod
    def none(cls, rows: int) -> FactorColumns:
        """Rows without corrections."""
        return cls(
            tpot=np.ones(rows),
            ttft=np.ones(rows),
            low=np.full(rows, np.nan),
            high=np.full(rows, np.nan),
            points=np.zeros(rows, dtype=np.int64),
        )

    @property
    def is_measured(self) -> NDArray[np.bool_]:
        """Rows that a measurement corrects."""
        return self.points > 0

    def set(self, rows: NDArray[np.bool_], found: Correction | EdgeCorrection) -> None:
        """Write one correction into the rows that it belongs to."""
        main = found.tpot if isinstance(found, Correction) else found.decode
        self.tpot[rows], self.points[rows] = main.value, main.points
        self.low[rows], self.high[rows] = found.low_factor, found.high_factor
        if isinstance(found, Correction) and found.ttft is not None:
            self.ttft[rows] = found.ttft.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Corrections:
    """All corrections at hand; where two fit a row, the later one in the tuple counts."""

    servers: tuple[Correction, ...] = ()
    devices: tuple[EdgeCorrection, ...] = field(default=())

    def of_replicas(
        self,
        models: Sequence[OpenModel],
        accelerators: Sequence[Accelerator],
        precisions: Sequence[Precision],
        *,
        model: Ints,
        accelerator: Ints,
        precision: Ints,
        tensor_parallel: Ints,
    ) -> FactorColumns:
        """Factors of replicas that are split by tensor parallelism only; columns as in ``ReplicaIndex``."""
        columns = FactorColumns.none(len(model))
        names = [each.name for each in models], [each.name for each in accelerators], [p.name for p in precisions]
        for each in self.servers:
            asked = each.deployment
            wanted = asked.model, asked.accelerator, asked.precision
            if asked.accelerators != asked.tensor_parallel or any(
                name not in among for name, among in zip(wanted, names, strict=True)
            ):
                continue
            places = [among.index(name) for name, among in zip(wanted, names, strict=True)]
            rows = (model == places[0]) & (accelerator == places[1]) & (precision == places[2])
            columns.set(rows & (np.asarray(tensor_parallel) == asked.tensor_parallel), each)
        return columns

    def of_deployments(self, deployments: Sequence[Deployment]) -> FactorColumns:
        """Factors of deployments; one without a stated engine takes those of any engine, and the other way round."""
        columns = FactorColumns.none(len(deployments))
        for each in self.servers:
            columns.set(np.array([_same(each.deployment, asked) for asked in deployments], dtype=bool), each)
        return columns

    def of_devices(self, devices: Sequence[EdgeDevice | str]) -> FactorColumns:
        """Factors of devices, by their names."""
        names = [_plain(device if isinstance(device, str) else device.name) for device in devices]
        columns = FactorColumns.none(len(names))
        for each in self.devices:
            columns.set(np.array([name == _plain(each.device) for name in names], dtype=bool), each)
        return columns

    def with_new(self, new: Corrections) -> Corrections:
        """These and the new ones, which replace older ones of the same deployment or device."""
        renewed = {each.deployment for each in new.servers}, {_plain(each.device) for each in new.devices}
        return Corrections(
            servers=(*(each for each in self.servers if each.deployment not in renewed[0]), *new.servers),
            devices=(*(each for each in self.devices if _plain(each.device) not in renewed[1]), *new.devices),
        )


class Measured(Protocol):
    """Columns that say by how many measurements each of their rows is corrected."""

    @property
    def measured_points(self) -> Ints:
        """Measurements that correct each row, 0 where it is modelled alone."""


def measured_text(columns: Measured, row: int) -> str:
    """What a row's speed rests on, in words: the model alone, or corrected by measurements."""
    points = int(columns.measured_points[row])
    if not points:
        return "modelled"
    return f"measured: the model corrected by {points} measurement{'s' if points != 1 else ''}"


def engine_family(engine: str) -> str:
    """The engine without its version, whose name differs between tools.

    >>> engine_family("vllm 0.17.0"), engine_family("TensorRT-LLM 1.0"), engine_family("")
    ('vllm', 'trtllm', '')
    """
    found = re.match(r"[a-z]+", engine.strip().casefold())
    return _ENGINES.get(found.group(), found.group()) if found else ""


def _same(corrected: Deployment, asked: Deployment) -> bool:
    engines = {corrected.engine, asked.engine} - {""}
    return len(engines) < 2 and _without_engine(corrected) == _without_engine(asked)


def _without_engine(deployment: Deployment) -> tuple[str | int, ...]:
    return (
        deployment.model,
        deployment.accelerator,
        deployment.precision,
        deployment.accelerators,
        deployment.tensor_parallel,
        deployment.data_parallel,
    )


def _plain(name: str) -> str:
    return " ".join(name.casefold().split())
