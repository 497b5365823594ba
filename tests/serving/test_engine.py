"""The engine that is replayed takes the roofline's times, and refuses what cannot run."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from breakeven.catalog.accelerators import accelerator
from breakeven.catalog.open_models import open_model
from breakeven.catalog.precisions import precision
from breakeven.errors import NothingFits
from breakeven.serving import batching, roofline
from breakeven.serving.constants import HOST_US_PER_SEQ, online_efficiencies
from breakeven.serving.corrections import FactorColumns
from breakeven.serving.deployment import Deployments, deployments, whole_replicas
from breakeven.serving.engine import EngineCoefficients, engine_coefficients
from breakeven.serving.fleet import Fleet
from breakeven.serving.simulation import simulate

CASES = [("Llama-3.1-8B", "H100", "fp8", 1), ("Llama-3.3-70B", "H100", "bf16", 4), ("Qwen3-30B-A3B", "A100", "bf16", 2)]


def both(model: str, gpu: str, bits: str, tp: int) -> tuple[Deployments, EngineCoefficients]:
    parts = open_model(model), accelerator(gpu), precision(bits, "server")
    zero = np.zeros(1, dtype=np.int64)
    split = whole_replicas(zero, zero, zero, np.array([tp]))
    return deployments(*([part] for part in parts), split), engine_coefficients(*parts, tensor_parallel=tp)


@pytest.mark.parametrize("case", CASES)
def test_steps_are_the_rooflines_at_every_batch_and_context(case: tuple[str, str, str, int]) -> None:
    deployed, engine = both(*case)
    fitted = online_efficiencies(deployed.is_moe, HOST_US_PER_SEQ)
    for batch in (1, 2, 17, 256):
        for context in (1.0, 900.0, 6_000.0):
            told = engine.step_s[batch] + engine.context_s_per_token * batch * context
            closed = roofline.decode_step_s(deployed, np.array([float(batch)]), np.array([context]), fitted)[0]
            assert told == pytest.approx(closed, rel=1e-9)


@pytest.mark.parametrize("case", CASES)
def test_prefill_is_the_rooflines_at_every_length(case: tuple[str, str, str, int]) -> None:
    deployed, engine = both(*case)
    fitted = online_efficiencies(deployed.is_moe, HOST_US_PER_SEQ)
    for tokens in (1, 300, 5_000):
        replayed = simulate(np.zeros(1), np.array([tokens]), np.ones(1, int), engine, Fleet(), keep_requests=True)
        closed = roofline.prefill_latency_s(deployed, np.array([float(tokens)]), fitted)[0]
        assert replayed.ttft_s[0] == pytest.approx(closed + engine.overhead_s, rel=1e-3)


@pytest.mark.parametrize("case", CASES)
def test_a_full_engine_delivers_the_closed_forms_throughput(case: tuple[str, str, str, int]) -> None:
    deployed, engine = both(*case)
    fitted = online_efficiencies(deployed.is_moe, HOST_US_PER_SEQ)
    waves, batch, tokens = 40, 32, 400
    many = waves * batch
    limited = engine_of_batch(engine, batch)
    lengths = np.full(many, tokens)
    outputs = np.tile(np.arange(tokens // 2, tokens + tokens // 2, tokens // batch)[:batch], waves)
    replayed = simulate(np.zeros(many), lengths, outputs, limited, Fleet())
    mean = np.array([float(outputs.mean())])
    cycle = batching.cycle_s(deployed, np.array([float(batch)]), np.array([float(tokens)]), mean, fitted)[0]
    assert replayed.output_tokens / replayed.span_s == pytest.approx(batch * mean[0] / cycle, rel=0.06)


def engine_of_batch(engine: EngineCoefficients, batch: int) -> EngineCoefficients:
    return replace(engine, step_s=engine.step_s[: batch + 1], kv_tokens=10_000_000, overhead_s=0.0)


def test_measurements_scale_the_gpus_times_and_the_overhead_apart() -> None:
    _, engine = both(*CASES[0])
    factors = FactorColumns.none(1)
    assert engine.corrected(factors) is engine
    factors.tpot[0], factors.ttft[0], factors.points[0] = 1.5, 0.8, 3
    measured = engine.corrected(factors)
    where = np.zeros(1), np.array([700]), np.array([90])
    before, after = (simulate(*where, each, Fleet(), keep_requests=True) for each in (engine, measured))
    assert measured.overhead_s == pytest.approx(0.8 * engine.overhead_s)
    assert after.e2e_s[0] - measured.overhead_s == pytest.approx(1.5 * (before.e2e_s[0] - engine.overhead_s), rel=1e-4)
    assert measured.basis == "measured"


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        (("Llama-3.3-70B", "H100", "bf16", 1), "weights"),
        (("Llama-3.1-8B", "H100", "fp8", 5), "heads"),
    ],
)
def test_what_cannot_run_says_why(case: tuple[str, str, str, int], reason: str) -> None:
    with pytest.raises(NothingFits) as refused:
        both(*case)
    assert reason in str(refused.value.cause)
