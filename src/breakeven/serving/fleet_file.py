"""The fleet file: TOML with [fleet], and where wanted [requirements], [autoscaling] and more of `_READERS`; strict."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, get_args

from breakeven.catalog.accelerators import Accelerator, accelerator
from breakeven.catalog.offers import PurchaseOption
from breakeven.catalog.open_models import OpenModel, open_model
from breakeven.catalog.precisions import Precision, precision
from breakeven.errors import InputError
from breakeven.serving.answers import SERVER, native_precision
from breakeven.serving.autoscaling import Autoscaling, Policy
from breakeven.serving.capacity import MAX_RUNNING
from breakeven.serving.cold_start import ColdStart
from breakeven.serving.corrections import Corrections, Deployment
from breakeven.serving.engine import Admission, EngineCoefficients, engine_coefficients
from breakeven.serving.fleet import ApiLatency, Dispatch, Fleet, Spill
from breakeven.serving.interruptions import Interruptions, SpotTerms
from breakeven.serving.roofline import CHUNK_TOKENS
from breakeven.workload.stated_values import exact, real, truth, whole
from breakeven.workload.workload import Slo

MAX_FILE_BYTES: Final = 1 << 20
MOST_REPLICAS: Final = 1_000
_EXAMPLE: Final = "see docs/how-to/simulate.md for a fleet file"

Reader = Callable[[object], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetFile:
    """What a fleet file states: a deployment, a fleet of it, and what a replica costs (None where not stated).

    ``offer`` is ``provider/instance@region`` of the catalogue, ``purchase`` how it is bought. ``spill_model`` is the
    hosted model that takes what is spilled, empty where none is named; ``spot`` says that replicas are interrupted.
    """

    name: str
    model: OpenModel
    accelerator: Accelerator
    precision: Precision
    tensor_parallel: int
    chunk_tokens: int
    max_running: int
    prefix_caching: bool
    fleet: Fleet
    usd_per_replica_h: Decimal | None
    offer: str
    purchase: PurchaseOption
    spill_model: str = ""
    spot: SpotTerms | None = None
    admission: Admission = "blocks"

    @property
    def label(self) -> str:
        """Model, precision, tensor parallel width and GPU, as options are named."""
        name = self.precision.name_for(self.model.native_weight_bits)
        return f"{self.model.name} {name} tp{self.tensor_parallel} on {self.accelerator.name}"

    def engine(self, request_tokens: float, corrections: Corrections | None = None) -> EngineCoefficients:
        """The engine for requests of that many tokens on average, as measurements correct it.

        Raises:
            NothingFits: the deployment cannot run.
        """
        modelled = engine_coefficients(
            self.model,
            self.accelerator,
            self.precision,
            tensor_parallel=self.tensor_parallel,
            request_tokens=request_tokens,
            chunk_tokens=self.chunk_tokens,
            max_running=self.max_running,
        )
        deployment = Deployment(
            model=self.model.name,
            accelerator=self.accelerator.name,
            precision=self.precision.name,
            accelerators=self.tensor_parallel,
            tensor_parallel=self.tensor_parallel,
        )
        modelled = replace(modelled, admission=self.admission)
        return modelled.corrected((corrections or Corrections()).of_deployments([deployment]))

    def with_replicas(self, replicas: int) -> FleetFile:
        """The same deployment as a fixed fleet."""
        return replace(self, fleet=self.fleet.fixed_at(replicas))


def read_fleet(path: Path) -> FleetFile:
    """Read a fleet file.

    Raises:
        InputError: the file cannot be read, or a key is unknown, missing, of the wrong type or out of range.
        UnknownName: a model, GPU or precision that the catalogue does not have.
    """
    return fleet_of(_parsed(path), where=str(path))


def fleet_of(tables: Mapping[str, Any], *, where: str) -> FleetFile:
    """The fleet that the tables of a file state.

    Raises:
        InputError: a key is unknown, missing, of the wrong type or out of range.
        UnknownName: a model, GPU or precision that the catalogue does not have.
    """
    _known(tables, _READERS, where, "table")
    read = {name: _table(tables.get(name, {}), readers, f"{where}: [{name}]") for name, readers in _READERS.items()}
    stated, cost = read["fleet"], read["cost"]
    for key, example in (("model", '"Llama-3.1-8B"'), ("gpu", '"H100"')):
        if key not in stated:
            raise InputError(f"{where}: [fleet] has no {key}", cause=_EXAMPLE, hint=f"write {key} = {example}")
    if {"usd_per_replica_h", "offer"} <= cost.keys():
        raise InputError(f"{where}: [cost] has both usd_per_replica_h and offer", hint="leave one of them out")
    model, fleet = open_model(stated["model"]), _fleet(read, tables, where)
    chosen = precision(stated["precision"], SERVER) if "precision" in stated else native_precision(model)
    return FleetFile(
        name=stated.get("name", Path(where).stem),
        model=model,
        accelerator=accelerator(stated["gpu"]),
        precision=chosen,
        tensor_parallel=stated.get("tensor_parallel", 1),
        chunk_tokens=stated.get("prefill_chunk_tokens", CHUNK_TOKENS),
        max_running=stated.get("max_running", int(MAX_RUNNING)),
        prefix_caching=stated.get("prefix_caching", False),
        fleet=fleet,
        usd_per_replica_h=cost.get("usd_per_replica_h"),
        offer=cost.get("offer", ""),
        purchase=cost.get("purchase", "on_demand"),
        spill_model=read["spill"].get("model", ""),
        spot=_spot(read["spot"], fleet, where) if "spot" in tables else None,
        admission=stated.get("admission", "blocks"),
    )


def _fleet(read: Mapping[str, dict[str, Any]], tables: Mapping[str, Any], where: str) -> Fleet:
    stated = read["fleet"]
    slo = Slo(**{"percentile": 99.0, **read["requirements"]})
    given = {key: stated[key] for key in ("replicas", "dispatch") if key in stated}
    spill = _spill(read, where)
    if "autoscaling" not in tables:
        if read["cold_start"] and "spot" not in tables:
            raise InputError(
                f"{where}: [cold_start] without [autoscaling] or [spot]",
                cause="a fixed fleet that loses no replica never starts one",
                hint='add [autoscaling] with policy = "queue" and max_replicas, or leave [cold_start] out',
            )
        return Fleet(
            **given, slo=slo, spill=spill, interruptions=Interruptions(cold_start=ColdStart(**read["cold_start"]))
        )
    if "replicas" in stated:
        raise InputError(
            f"{where}: [fleet] replicas beside [autoscaling]",
            cause="the policy says how many replicas there are",
            hint="write min_replicas and max_replicas in [autoscaling]",
        )
    return Fleet(**given, slo=slo, spill=spill, autoscaling=_autoscaling(read, where))


def _spill(read: Mapping[str, dict[str, Any]], where: str) -> Spill | None:
    above, api = read["fleet"].get("spill_above_requests_per_replica"), read["spill"]
    if above is None:
        if api:
            raise InputError(
                f"{where}: [spill] without spill_above_requests_per_replica",
                cause="it says when a replica has too much to take another request",
                hint="write spill_above_requests_per_replica = 32 in [fleet]",
            )
        return None
    if ("ttft_s" in api) != ("tpot_s" in api):
        raise InputError(f"{where}: [spill] needs both ttft_s and tpot_s, or neither", hint="state the other one too")
    latency = ApiLatency(ttft_s=api["ttft_s"], tpot_s=api["tpot_s"]) if "ttft_s" in api else None
    return Spill(above_requests_per_replica=above, latency=latency)


def _spot(stated: Mapping[str, Any], fleet: Fleet, where: str) -> SpotTerms:
    if "zones" not in stated:
        raise InputError(
            f"{where}: [spot] has no zones",
            cause="interruptions are drawn from the spells of observed zones",
            hint='write zones = ["us-west-2a", "us-west-2b", "us-west-2c"]',
        )
    terms = SpotTerms(**stated)
    if terms.kept_replicas > fleet.least_replicas:
        raise InputError(
            f"{where}: [spot] keeps {terms.kept_replicas} replicas of {fleet.least_replicas} that are always there",
            hint="write kept_replicas = 0, or a higher min_replicas in [autoscaling]",
        )
    return terms


def _autoscaling(read: Mapping[str, dict[str, Any]], where: str) -> Autoscaling:
    stated = dict(read["autoscaling"])
    for key, example in (("policy", '"queue"'), ("max_replicas", "8")):
        if key not in stated:
            raise InputError(f"{where}: [autoscaling] has no {key}", hint=f"write {key} = {example}")
    to_zero = stated.pop("scale_to_zero", None)
    if to_zero is not None:
        if stated.get("min_replicas", int(not to_zero)) != int(not to_zero) and to_zero:
            raise InputError(
                f"{where}: [autoscaling] scale_to_zero beside min_replicas above 0", hint="leave min_replicas out"
            )
        stated.setdefault("min_replicas", int(not to_zero))
    hourly = stated.get("hourly_replicas", ())
    if hourly and stated["policy"] != "schedule":
        raise InputError(f'{where}: [autoscaling] hourly_replicas needs policy = "schedule"')
    scaling = Autoscaling(**stated, cold_start=ColdStart(**read["cold_start"]))
    if not scaling.min_replicas <= scaling.max_replicas or max(hourly, default=0) > scaling.max_replicas:
        raise InputError(
            f"{where}: [autoscaling] wants more than max_replicas", cause=f"max_replicas = {scaling.max_replicas}"
        )
    return scaling


def _text(stated: object) -> str:
    if not isinstance(stated, str) or not stated.strip():
        raise ValueError("a text")
    return stated


def _one_of(names: Sequence[str]) -> Reader:
    def read(stated: object) -> str:
        if stated not in names:
            raise ValueError(f"one of {', '.join(names)}")
        return str(stated)

    return read


def _hourly(stated: object) -> tuple[int, ...]:
    if not isinstance(stated, list) or len(stated) != 24:
        raise ValueError("a list of 24 numbers of replicas, one an hour")
    return tuple(whole(0, MOST_REPLICAS)(each) for each in stated)


def _texts(stated: object) -> tuple[str, ...]:
    if not isinstance(stated, list) or not stated:
        raise ValueError("a list of texts")
    return tuple(map(_text, stated))


_SECONDS: Final = real("0", "86400")
_ABOVE_ZERO_S: Final = real("0", "86400", open_low=True)
_READERS: Final[Mapping[str, Mapping[str, Reader]]] = {
    "fleet": {
        "name": _text,
        "model": _text,
        "gpu": _text,
        "precision": _text,
        "tensor_parallel": whole(1, 64),
        "replicas": whole(1, MOST_REPLICAS),
        "dispatch": _one_of(get_args(Dispatch)),
        "max_running": whole(1, int(MAX_RUNNING)),
        "prefill_chunk_tokens": whole(1, 1_000_000),
        "prefix_caching": truth,
        "spill_above_requests_per_replica": whole(0, 1_000_000),
        "admission": _one_of(get_args(Admission)),
    },
    "requirements": {
        "ttft_s": _ABOVE_ZERO_S,
        "tpot_s": _ABOVE_ZERO_S,
        "percentile": real("0", "100", open_low=True, open_high=True),
    },
    "autoscaling": {
        "policy": _one_of(get_args(Policy)),
        "min_replicas": whole(0, MOST_REPLICAS),
        "max_replicas": whole(1, MOST_REPLICAS),
        "scale_to_zero": truth,
        "target_queue_per_replica": real("0", "100000", open_low=True),
        "target_kv_frac": real("0", "1", open_low=True),
        "hourly_replicas": _hourly,
        "interval_s": real("1", "3600"),
        "cooldown_s": _SECONDS,
    },
    "cold_start": {
        "provision_s": _SECONDS,
        "pull_s": _SECONDS,
        "bandwidth_bytes_per_s": real("1e6", "1e13"),
        "compile_s": _SECONDS,
    },
    "cost": {
        "usd_per_replica_h": exact("0", "100000"),
        "offer": _text,
        "purchase": _one_of(get_args(PurchaseOption)),
    },
    "spill": {
        "model": _text,
        "ttft_s": _ABOVE_ZERO_S,
        "tpot_s": _ABOVE_ZERO_S,
    },
    "spot": {
        "zones": _texts,
        "kept_replicas": whole(0, MOST_REPLICAS),
        "notice_s": real("0", "3600"),
        "seed": whole(0, 1_000_000),
    },
}


def _table(stated: object, readers: Mapping[str, Reader], where: str) -> dict[str, Any]:
    if not isinstance(stated, dict):
        raise InputError(f"{where} must be a table", hint="write it as a heading, with its keys below")
    _known(stated, readers, where, "key")
    read = {}
    for key, value in stated.items():
        try:
            read[key] = readers[key](value)
        except ValueError as broken:
            raise InputError(f"{where} {key} must be {broken}", cause=f"got {value!s:.80}") from None
    return read


def _known(stated: Mapping[str, Any], known: Mapping[str, Any], where: str, kind: str) -> None:
    for name in stated:
        if name not in known:
            nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.0)[0]
            raise InputError(
                f"{where}: unknown {kind} {name:.80}",
                cause=f"the {kind}s are {', '.join(known)}",
                hint=f"did you mean {nearest}?",
            )


def _parsed(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_FILE_BYTES + 1)
    except OSError as failed:
        raise InputError(f"{path}: cannot be read", cause=failed.strerror, hint="check the path") from None
    if len(raw) > MAX_FILE_BYTES:
        raise InputError(f"{path}: a fleet file of more than 1 MiB", hint=_EXAMPLE)
    try:
        return tomllib.loads(raw.decode("utf-8-sig"), parse_float=Decimal)
    except (UnicodeDecodeError, ValueError, ArithmeticError, RecursionError) as failed:
        raise InputError(f"{path}: not valid TOML", cause=f"{failed!s:.200}", hint=_EXAMPLE) from None
