"""Every way to run an open model on rented GPUs: model x precision x tensor parallel x offer x purchase, as columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from breakeven.catalog.accelerators import Accelerator, accelerator
from breakeven.catalog.offers import InstanceOffer, PurchasePrice, offers, purchase_prices
from breakeven.catalog.open_models import OpenModel, open_models
from breakeven.catalog.precisions import Precision, gpu_precisions
from breakeven.options.curve import Ints
from breakeven.serving.capacity import CapacityColumns, RequestShape, replica_capacity
from breakeven.serving.corrections import Corrections, Deployment
from breakeven.workload.workload import Workload

TENSOR_PARALLEL = (1, 2, 4, 8, 16)


@dataclass(frozen=True, slots=True)
class Purchase:
    """An offer at one of its purchase prices."""

    offer: InstanceOffer
    terms: PurchasePrice


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuGrid:
    """All replicas that can be built, and the purchases that each can run on.

    A *replica* is a model at a precision over ``tensor_parallel`` accelerators; ``capacity`` has a row for each. A
    *row* is a replica on a purchase: ``replica`` and ``purchase`` index both, shape (rows,).
    """

    models: tuple[OpenModel, ...]
    precisions: tuple[Precision, ...]
    accelerators: tuple[Accelerator, ...]
    purchases: tuple[Purchase, ...]
    replica_model: Ints
    replica_accelerator: Ints
    replica_precision: Ints
    replica_tensor_parallel: Ints
    capacity: CapacityColumns
    replica: Ints
    purchase: Ints

    def __len__(self) -> int:
        return len(self.replica)

    @property
    def replicas_per_instance(self) -> Ints:
        """How many replicas one instance holds, shape (rows,)."""
        accelerators = np.array([purchase.offer.accelerators_per_instance for purchase in self.purchases])
        counts: Ints = accelerators[self.purchase] // self.replica_tensor_parallel[self.replica]
        return counts

    def deployment(self, replica: int) -> Deployment:
        """The names of a replica."""
        width = int(self.replica_tensor_parallel[replica])
        return Deployment(
            model=self.models[self.replica_model[replica]].name,
            accelerator=self.accelerators[self.replica_accelerator[replica]].name,
            precision=self.precisions[self.replica_precision[replica]].name,
            accelerators=width,
            tensor_parallel=width,
        )

    def replica_of(self, deployment: Deployment) -> int | None:
        """The replica with these names; None where the grid has none."""
        wanted = (
            ([model.name for model in self.models], self.replica_model, deployment.model),
            ([gpu.name for gpu in self.accelerators], self.replica_accelerator, deployment.accelerator),
            ([each.name for each in self.precisions], self.replica_precision, deployment.precision),
        )
        alike = self.replica_tensor_parallel == deployment.tensor_parallel
        for names, column, name in wanted:
            if name not in names:
                return None
            alike = alike & (column == names.index(name))
        found = np.flatnonzero(alike)
        return int(found[0]) if len(found) else None


def request_shape(workload: Workload) -> RequestShape:
    """The workload's requests as the serving model sees them."""
    return RequestShape(
        mean_input_tokens=workload.mean_input_tokens,
        mean_output_tokens=workload.mean_output_tokens,
        percentile_input_tokens=float(
            np.percentile(workload.input_tokens, workload.requirements.slo.percentile, method="inverted_cdf")
        ),
        longest_request_tokens=workload.longest_request_tokens,
        prefix_reuse_frac=0.0,
    )


def gpu_grid(
    workload: Workload,
    *,
    billing: str,
    models: Sequence[OpenModel] | None = None,
    corrections: Corrections | None = None,
) -> GpuGrid:
    """The grid over all offers with this billing ("hour" for rented instances, "second" for serverless workers).

    ``corrections`` are what measurements say of some replicas.
    """
    served = tuple(open_models().values()) if models is None else tuple(models)
    bought = tuple(Purchase(o, terms) for o in offers() if o.billing == billing for terms in purchase_prices(o))
    hardware = tuple({p.offer.accelerator: accelerator(p.offer.accelerator) for p in bought}.values())
    precisions = gpu_precisions()
    shape = (len(hardware), len(TENSOR_PARALLEL), len(served), len(precisions))
    on, parallel, model, precision = (axis.ravel() for axis in np.indices(shape))
    tensor_parallel = np.array(TENSOR_PARALLEL)[parallel]
    replica, purchase = _rows(bought, hardware, len(served) * len(precisions))
    return GpuGrid(
        models=served,
        precisions=precisions,
        accelerators=hardware,
        purchases=bought,
        replica_model=model,
        replica_accelerator=on,
        replica_precision=precision,
        replica_tensor_parallel=tensor_parallel,
        capacity=replica_capacity(
            models=served,
            accelerators=hardware,
            precisions=precisions,
            model=model,
            accelerator=on,
            precision=precision,
            tensor_parallel=tensor_parallel,
            request=request_shape(workload),
            slo=workload.requirements.slo,
            corrections=corrections,
        ),
        replica=replica,
        purchase=purchase,
    )


def _rows(bought: Sequence[Purchase], hardware: Sequence[Accelerator], block: int) -> tuple[Ints, Ints]:
    """Pair each purchase with the replicas of its accelerator that one instance can hold.

    Replicas are laid out in blocks of models x precisions, one block for each accelerator and tensor parallel width.
    """
    position = {device.name: index for index, device in enumerate(hardware)}
    replica, purchase = [], []
    for index, one in enumerate(bought):
        for width, tensor_parallel in enumerate(TENSOR_PARALLEL):
            if one.offer.accelerators_per_instance % tensor_parallel == 0:
                first = (position[one.offer.accelerator] * len(TENSOR_PARALLEL) + width) * block
                replica.append(np.arange(first, first + block))
                purchase.append(np.full(block, index))
    if not replica:
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    return np.concatenate(replica), np.concatenate(purchase)
