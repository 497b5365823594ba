"""The fit finds what is there, the shipped constants are what it writes, and unseen models stay within the promise."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import pytest

from breakeven.serving import edge_fitting, fitting
from breakeven.serving.answers import place
from breakeven.serving.constants import serving_classes
from breakeven.serving.edge_points import read_edge_points
from breakeven.serving.fitting import MeasuredRows
from breakeven.serving.points import read_points


@pytest.fixture(scope="module")
def bench(shared_data: Path) -> MeasuredRows:
    placed, refused = place(read_points(shared_data / "perf" / "offline_max_throughput_dev.csv"))
    assert placed is not None
    assert not refused
    return MeasuredRows.of(placed)


def test_the_simplex_finds_the_bottom_of_a_bowl() -> None:
    target = np.array([0.3, -1.2, 2.0])
    found = fitting.simplex_minimum(lambda x: float(np.square(x - target).sum()), np.zeros(3), steps=400)
    assert found == pytest.approx(target, abs=1e-2)


def test_the_fit_recovers_constants_that_made_the_rows(bench: MeasuredRows) -> None:
    truth = dict(fitting.START) | {"mfu": 0.4, "mbu": 0.7, "layer_us": 50.0}
    rate = np.exp(fitting.offline_errors(bench, truth).throughput) * bench.output_tokens_per_s
    made = MeasuredRows(**{name: getattr(bench, name) for name in bench.__slots__} | {"output_tokens_per_s": rate})
    found = fitting.fit(made, fitting.offline_errors, ("mfu", "mbu", "layer_us"))
    assert [found[name] for name in ("mfu", "mbu", "layer_us")] == pytest.approx([0.4, 0.7, 50.0], rel=0.03)


def test_the_shipped_constants_are_those_of_the_fit(bench: MeasuredRows) -> None:
    found = fitting.fit(bench, fitting.offline_errors, fitting.FITTED["offline"])
    shipped = serving_classes()["offline"].efficiencies
    for name in ("mfu", "mbu", "layer_us", "sync_us", "link_frac", "routed_us"):
        assert found[name] == pytest.approx(getattr(shipped, name), rel=0.05), name


def test_unseen_models_and_gpus_stay_within_the_promised_error(bench: MeasuredRows) -> None:
    names = fitting.FITTED["offline"]
    for groups in (bench.model_names, bench.gpu_names):
        errors = fitting.leave_one_out(bench, groups, fitting.offline_errors, names, fitting.START)
        share = fitting.relative(errors.throughput)
        assert not np.isnan(share).any()
        assert np.median(share) <= 0.10
        assert np.quantile(share, 0.9) <= 0.25


def test_a_band_holds_eight_in_ten_and_its_coverage_is_measured_on_others() -> None:
    rng = np.random.default_rng(3)
    errors, groups = rng.normal(0, 0.2, 4_000), np.repeat(["a", "b", "c", "d"], 1_000)
    band = fitting.band(fitting.LeftOut(log_errors=errors, groups=groups))
    assert band.coverage_frac == pytest.approx(0.8, abs=0.03)
    assert band.low_factor == pytest.approx(np.exp(-1.2816 * 0.2), rel=0.03)
    assert band.high_factor == pytest.approx(np.exp(1.2816 * 0.2), rel=0.03)


def test_a_band_reaches_as_far_as_the_worst_way_of_leaving_out_and_equally_either_way() -> None:
    rng = np.random.default_rng(4)
    near, far = rng.normal(0.1, 0.1, 1_000), rng.normal(-0.3, 0.1, 1_000)
    groups = np.repeat(["a", "b"], 500)
    ways = [fitting.LeftOut(log_errors=errors, groups=groups) for errors in (near, far)]
    band = fitting.band(*ways)
    assert band.high_factor == pytest.approx(np.exp(np.quantile(np.abs(far), 0.8)))
    assert band.low_factor == pytest.approx(1 / band.high_factor)
    assert band.coverage_frac > 0.95  # of the near rows, whose errors it shows


def test_bands_hold_on_unseen_models() -> None:
    for found in serving_classes().values():
        bands = (found.throughput,) if found.name == "offline" else (found.throughput, found.tpot, found.ttft)
        for band in bands:
            assert 0.75 <= band.coverage_frac <= 0.9, found.name


def test_unseen_devices_stay_within_the_promised_error(shared_data: Path) -> None:
    rows = edge_fitting.measured_edge(read_edge_points(shared_data / "perf" / "edge_tokens_per_s_dev.csv"))
    share = fitting.relative(edge_fitting.leave_one_device_out(rows))
    assert np.median(share) <= 0.16  # what one efficiency per class and format reached
    shipped = tomllib.loads((Path(fitting.__file__).parent / "data" / "edge_constants.toml").read_text("utf-8"))
    assert shipped["median_error_frac"] == pytest.approx(float(np.median(share)), abs=0.02)
