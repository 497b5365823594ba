"""A correction moves the model to what was measured, as far as the number of points warrants, and only there."""

from __future__ import annotations

import datetime
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from breakeven.catalog.accelerators import accelerator
from breakeven.catalog.edge_devices import edge_devices
from breakeven.catalog.open_models import open_model
from breakeven.catalog.precisions import precision
from breakeven.errors import InputError
from breakeven.serving.answers import answer_points
from breakeven.serving.calibration import band, calibrate, calibrate_devices, fitted_factor, shrunk
from breakeven.serving.capacity import CapacityColumns, RequestShape, replica_capacity
from breakeven.serving.constants import Spread, serving_classes
from breakeven.serving.correction_store import read_corrections, write_corrections
from breakeven.serving.corrections import Corrections, measured_text
from breakeven.serving.edge import edge_capacity
from breakeven.serving.edge_points import EdgePoint, answer_edge_points
from breakeven.serving.points import Point, read_points
from breakeven.workload.workload import Slo

DAY = datetime.date(2026, 11, 24)
SPREAD = Spread(between=0.2, within=0.1)
SHAPE = RequestShape(
    mean_input_tokens=512, mean_output_tokens=128, percentile_input_tokens=1_024, longest_request_tokens=2_048
)


def point(concurrency: float | None = 16, **fields: object) -> Point:
    row = Point(
        line=2,
        gpu="H100-SXM",
        gpus=1,
        tensor_parallel=1,
        data_parallel=1,
        model="Llama-3.1-8B",
        precision="fp8",
        engine="vllm 0.19",
        input_tokens=512,
        output_tokens=128,
        concurrency=concurrency,
        measured={},
    )
    return replace(row, **fields)  # type: ignore[arg-type]


def slower(row: Point, times: float) -> Point:
    """The row as if the deployment took so many times as long as modelled."""
    (answer,) = answer_points([row])
    assert answer.tpot_ms is not None
    ttft = {} if answer.ttft_ms is None else {"ttft_ms": answer.ttft_ms * times}
    rate = {"output_tokens_per_s_total": (answer.output_tokens_per_s_total or 0) / times}
    return replace(row, measured={"tpot_ms": answer.tpot_ms * times} | ttft | (rate if row.concurrency is None else {}))


def corrections(*rows: Point) -> Corrections:
    return calibrate(rows, source="a test", on=DAY).corrections


def capacity(given: Corrections | None = None) -> CapacityColumns:
    """One and two H100 with the same model."""
    zero = np.zeros(2, dtype=np.int64)
    return replica_capacity(
        [open_model("Llama-3.1-8B")],
        [accelerator("H100-SXM")],
        [precision("fp8", "server")],
        model=zero,
        accelerator=zero,
        precision=zero,
        tensor_parallel=np.array([1, 2]),
        request=SHAPE,
        slo=Slo(),
        corrections=given,
    )


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=30))
def test_the_estimate_lies_between_nothing_and_the_mean(ratios: list[float]) -> None:
    mean = float(np.mean(ratios))
    assert min(0.0, mean) - 1e-12 <= shrunk(np.array(ratios), SPREAD) <= max(0.0, mean) + 1e-12


def test_more_points_are_believed_more() -> None:
    estimates = [shrunk(np.full(count, 0.3), SPREAD) for count in (1, 2, 3, 10, 1_000)]
    assert estimates == sorted(estimates)
    # One point: 0.3 x 1 / (1 + 0.01 / 0.04).
    assert estimates[0] == pytest.approx(0.24)
    assert estimates[-1] == pytest.approx(0.3, rel=1e-3)


def test_the_estimate_is_the_mean_of_its_posterior() -> None:
    # By brute force over the constant: normal prior, normal noise. The mean is not far out, so nothing limits it.
    grid = np.linspace(-2, 2, 40_001)
    ratios = np.array([0.5, 0.2, 0.35])
    log_density = -0.5 * (grid / SPREAD.between) ** 2
    log_density -= 0.5 * (np.square(ratios[:, None] - grid) / SPREAD.within**2).sum(axis=0)
    weights = np.exp(log_density - log_density.max())
    assert shrunk(ratios, SPREAD) == pytest.approx(float((grid * weights).sum() / weights.sum()), abs=1e-6)


def test_a_deployment_far_from_all_others_keeps_what_was_measured() -> None:
    assert shrunk(np.full(4, -2.0), SPREAD) == pytest.approx(-2.0 + 0.1 / 2)


def test_the_band_narrows_to_the_noise_and_holds_eight_in_ten() -> None:
    widths = [np.log(band(SPREAD, count)[1]) for count in (1, 3, 1_000)]
    assert widths == sorted(widths, reverse=True)
    assert widths[-1] == pytest.approx(1.2816 * 0.1, rel=1e-3)
    rng = np.random.default_rng(1)
    truth = rng.normal(0, 0.2, 20_000)
    seen = truth[:, None] + rng.normal(0, 0.1, (20_000, 3))
    guess = np.array([shrunk(row, SPREAD) for row in seen])
    low, high = band(SPREAD, 3)
    fresh = np.exp(truth + rng.normal(0, 0.1, 20_000) - guess)
    assert ((fresh > low) & (fresh < high)).mean() == pytest.approx(0.8, abs=0.01)


def test_the_error_after_is_measured_on_points_left_out() -> None:
    spread = Spread(between=1e6, within=1e-9)
    factor = fitted_factor(np.array([0.1, 0.3]), spread)
    assert factor.value == pytest.approx(np.exp(0.2))
    assert factor.error_after_frac == pytest.approx((np.exp(0.2) - 1 + 1 - np.exp(-0.2)) / 2)
    assert fitted_factor(np.array([0.1]), spread).error_after_frac is None


def test_answers_move_to_what_was_measured() -> None:
    seen = [slower(point(clients), 1.5) for clients in (4, 16, 64, 128)]
    found = corrections(*seen)
    before, after = answer_points([point(32)])[0], answer_points([point(32)], found)[0]
    assert after.tpot_ms is not None
    assert before.tpot_ms is not None
    assert 1.4 < after.tpot_ms / before.tpot_ms < 1.5
    assert (after.basis, before.basis) == ("measured", "modelled")
    assert after.low is not None
    assert before.low is not None
    assert after.low > before.low


def test_offline_rows_are_held_to_their_throughput() -> None:
    (correction,) = corrections(*[slower(point(None, input_tokens=n), 2.0) for n in (128, 512, 2_048)]).servers
    assert correction.ttft is None
    assert 1.8 < correction.tpot.value < 2.0


@pytest.mark.parametrize(
    "other",
    [
        {"gpus": 2, "tensor_parallel": 2},
        {"precision": "fp16"},
        {"model": "Llama-3.1-70B"},
        {"gpu": "H200-SXM"},
        {"engine": "sglang 0.5"},
    ],
)
def test_other_deployments_stay_modelled(other: dict[str, object]) -> None:
    (answer,) = answer_points([point(**other)], corrections(slower(point(), 2.0)))
    assert answer.basis == "modelled"


@pytest.mark.parametrize("engine", ["", "vllm 0.30"])
def test_versions_of_an_engine_and_an_unstated_one_share_a_correction(engine: str) -> None:
    (answer,) = answer_points([point(engine=engine)], corrections(slower(point(), 2.0)))
    assert answer.basis == "measured"


def test_replicas_of_the_measured_kind_are_corrected_and_no_others() -> None:
    found = corrections(*[slower(point(clients), 1.5) for clients in (8, 32, 64)])
    plain, corrected = capacity(), capacity(found)
    assert corrected.measured_points.tolist() == [3, 0]
    assert corrected.requests_per_s[0] < plain.requests_per_s[0]
    assert corrected.requests_per_s[1] == plain.requests_per_s[1]
    assert corrected.row(0).basis == "measured"
    assert corrected.high_factor[0] < plain.high_factor[0]
    assert measured_text(corrected, 0) == "measured: the model corrected by 3 measurements"
    assert measured_text(corrected, 1) == "modelled"


def test_without_corrections_nothing_changes() -> None:
    plain, empty = capacity(), capacity(Corrections())
    assert np.array_equal(plain.requests_per_s, empty.requests_per_s)
    assert not empty.measured_points.any()


def test_rows_that_cannot_run_or_were_not_measured_are_named() -> None:
    rows = [point(line=2), slower(point(line=3), 1.1), point(line=4, gpu="H100-SXM", model="no such model")]
    rows.append(point(line=5, model="Llama-3.1-405B", precision="fp16"))
    found = calibrate(rows, source="a test", on=DAY)
    assert [line for line, _ in found.unused] == [2, 4, 5]
    assert "no tpot_ms" in found.unused[0][1]
    assert len(found.corrections.servers) == 1


def test_a_device_is_corrected_for_every_model() -> None:
    device = next(each for each in edge_devices().values() if each.device_class == "nvidia_gpu")
    row = EdgePoint(
        line=2,
        device=device.name,
        bandwidth_bytes_per_s=None,
        model="Llama-3.1-8B",
        quant="Q4_K_M",
        context_tokens=128,
        decode_tokens_per_s=0.0,
        prefill_tokens_per_s=0.0,
    )
    (plain,) = answer_edge_points([row])
    assert plain.decode_tokens_per_s is not None
    seen = replace(row, decode_tokens_per_s=plain.decode_tokens_per_s / 2)
    found = calibrate_devices([seen, seen, seen, row], source="a test", on=DAY)
    assert len(found.unused) == 1
    other = replace(row, model="Qwen3-8B", device=device.name.upper())
    (before,), (after,) = answer_edge_points([other]), answer_edge_points([other], found.corrections)
    assert before.decode_tokens_per_s is not None
    assert after.decode_tokens_per_s is not None
    assert 0.5 < after.decode_tokens_per_s / before.decode_tokens_per_s < 0.65
    assert after.basis == "measured"
    zero = np.zeros(1, dtype=np.int64)
    models, formats = [open_model("Llama-3.1-8B")], [precision("Q4_K_M", "edge")]
    asked = {"device": zero, "model": zero, "precision": zero}
    columns = edge_capacity(
        [device],
        models,
        formats,
        request=SHAPE,
        slo=Slo(ttft_s=60, tpot_s=5, percentile=95),
        corrections=found.corrections,
        **asked,  # type: ignore[arg-type]
    )
    assert columns.row(0).basis == "measured"


def test_the_store_keeps_what_it_was_given(tmp_path: Path) -> None:
    names = 'quote" and \\ and \u00e9\n'
    kept = corrections(slower(point(), 1.3), slower(point(precision="fp16"), 1.2))
    kept = Corrections(servers=tuple(replace(each, source=names) for each in kept.servers))
    write_corrections(tmp_path / "new" / "store.toml", kept)
    found = read_corrections(tmp_path / "new" / "store.toml")
    assert [each.deployment for each in found.servers] == [each.deployment for each in kept.servers]
    assert found.servers[0].source == names
    assert found.servers[0].calibrated_on == DAY
    assert found.servers[0].tpot.value == pytest.approx(kept.servers[0].tpot.value, rel=1e-4)
    assert list(tmp_path.rglob("*.part")) == []


def test_a_new_correction_replaces_that_of_the_same_deployment() -> None:
    old, new = corrections(slower(point(), 1.3), slower(point(precision="fp16"), 1.2)), corrections(slower(point(), 2))
    merged = old.with_new(new)
    assert len(merged.servers) == 2
    assert merged.servers[-1].tpot.value == new.servers[0].tpot.value


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[[server]]\nmodel = 1", "accelerators|model"),
        ("[[device]]\ndevice = 'x'", "decode|calibrated_on"),
        ("server = 3", "list of tables"),
        ("[other]", "unknown table"),
        ("not toml", "not TOML"),
    ],
)
def test_a_broken_store_is_refused_by_name(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "store.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=says) as refused:
        read_corrections(path)
    assert "store.toml" in str(refused.value)


@pytest.mark.parametrize("value", ["-1", "0", "1e9", "nan", "true", '"2"'])
def test_a_factor_out_of_all_reason_is_refused(tmp_path: Path, value: str) -> None:
    path = tmp_path / "store.toml"
    write_corrections(path, corrections(slower(point(), 1.3)))
    lines = path.read_text("utf-8").splitlines()
    broken = [
        f"tpot = {{ value = {value}, points = 1, error_before_frac = 0 }}" if line.startswith("tpot") else line
        for line in lines
    ]
    path.write_text("\n".join(broken), encoding="utf-8")
    with pytest.raises(InputError, match="value must be a number"):
        read_corrections(path)


def test_three_points_lower_the_error_on_published_runs(shared_data: Path) -> None:
    """With the shipped constants; scripts/calibration_gain.py prints the figures on models left out of the fit."""
    points = read_points(shared_data / "perf" / "closed_loop_dev.csv")
    groups: dict[tuple[object, ...], list[Point]] = {}
    for each in points:
        key = (each.model, each.gpu, each.gpus, each.tensor_parallel, each.data_parallel, each.precision, each.engine)
        groups.setdefault(key, []).append(each)
    rng = np.random.default_rng(7)
    before: list[float] = []
    after: list[float] = []
    for rows in groups.values():
        if len(rows) > 3:
            order = rng.permutation(len(rows))
            found = corrections(*[rows[index] for index in order[:3]])
            held = [rows[index] for index in order[3:]]
            before += errors(held, None)
            after += errors(held, found)
    assert np.median(after) < 0.8 * np.median(before)
    assert serving_classes()["online-moe"].tpot_spread.between > serving_classes()["online-moe"].tpot_spread.within


def errors(rows: list[Point], found: Corrections | None) -> list[float]:
    answers = zip(rows, answer_points(rows, found), strict=True)
    return [abs(a.tpot_ms / row.measured["tpot_ms"] - 1) for row, a in answers if a.tpot_ms is not None]
