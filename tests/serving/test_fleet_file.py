"""A fleet file is read strictly: what is unknown, missing or impossible is an error that says what to write."""

from __future__ import annotations

import tomllib
from decimal import Decimal
from pathlib import Path

import pytest

from breakeven.errors import InputError, UnknownName
from breakeven.serving.fleet import ApiLatency, Spill
from breakeven.serving.fleet_file import FleetFile, fleet_of, read_fleet
from breakeven.serving.interruptions import SpotTerms

LEAST = '[fleet]\nmodel = "Llama-3.1-8B"\ngpu = "H100"\n'


def stated(text: str) -> FleetFile:
    return fleet_of(tomllib.loads(text, parse_float=Decimal), where="fleet.toml")


def test_what_is_not_stated_has_a_default() -> None:
    file = stated(LEAST)
    assert file.label == "Llama-3.1-8B fp16 tp1 on H100-SXM"
    assert (file.fleet.replicas, file.fleet.dispatch, file.fleet.autoscaling) == (1, "least_outstanding", None)
    assert (file.fleet.slo.ttft_s, file.fleet.slo.tpot_s, file.fleet.slo.percentile) == (2.0, 0.1, 99.0)
    assert (file.usd_per_replica_h, file.offer) == (None, "")
    assert file.engine(1_000).admission == "blocks"


def test_everything_that_is_stated_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(
        LEAST + 'precision = "fp8"\ntensor_parallel = 2\nmax_running = 128\nprefill_chunk_tokens = 2_048\n'
        'dispatch = "round_robin"\nadmission = "whole"\n[requirements]\nttft_s = 1\ntpot_s = 0.05\npercentile = 95\n'
        '[autoscaling]\npolicy = "kv"\nscale_to_zero = true\nmax_replicas = 6\ntarget_kv_frac = 0.5\ncooldown_s = 60\n'
        "[cold_start]\npull_s = 0\nbandwidth_bytes_per_s = 5e9\n[cost]\nusd_per_replica_h = 2.5\n"
    )
    file = read_fleet(path)
    scaling = file.fleet.autoscaling
    assert scaling is not None
    assert (scaling.policy, scaling.min_replicas, scaling.max_replicas, scaling.target_kv_frac) == ("kv", 0, 6, 0.5)
    assert (scaling.cold_start.pull_s, scaling.cold_start.bandwidth_bytes_per_s) == (0, 5e9)
    assert (file.name, file.tensor_parallel, file.usd_per_replica_h) == ("own", 2, Decimal("2.5"))
    engine = file.engine(1_000)
    assert (engine.max_running, engine.chunk_tokens, engine.admission) == (128, 2_048, "whole")
    assert file.with_replicas(3).fleet.autoscaling is None


SCALES = '[autoscaling]\npolicy = "queue"\nmax_replicas = 4\n'


SPILLS = "spill_above_requests_per_replica = 12\n[spill]\n"


def test_what_is_spilled_and_what_is_on_spot_is_taken() -> None:
    file = stated(
        LEAST + "replicas = 3\n" + SPILLS + 'model = "openai/gpt-5"\nttft_s = 0.7\ntpot_s = 0.02\n'
        '[cold_start]\npull_s = 7\n[spot]\nzones = ["us-west-2a", "us-west-2b"]\nkept_replicas = 1\nseed = 4\n'
    )
    assert file.spill_model == "openai/gpt-5"
    assert file.fleet.spill == Spill(above_requests_per_replica=12, latency=ApiLatency(ttft_s=0.7, tpot_s=0.02))
    assert file.spot == SpotTerms(zones=("us-west-2a", "us-west-2b"), kept_replicas=1, notice_s=120.0, seed=4)
    assert file.fleet.cold_start.pull_s == 7
    unpriced = stated(LEAST + SPILLS)
    assert unpriced.spill_model == ""
    assert unpriced.fleet.spill == Spill(above_requests_per_replica=12)


def test_a_fixed_fleet_keeps_the_cold_start_of_its_policy() -> None:
    scaled = stated(LEAST + SCALES + "[cold_start]\npull_s = 7\n").fleet
    assert scaled.fixed_at(2).cold_start == scaled.cold_start
    assert (scaled.least_replicas, scaled.fixed_at(2).least_replicas) == (1, 2)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no model"),
        ('[fleet]\nmodel = "Llama-3.1-8B"\n', "no gpu"),
        (LEAST + "replica = 2\n", "did you mean replicas"),
        (LEAST + "[costs]\n", "did you mean cost"),
        (LEAST + "replicas = 0\n", "whole number from 1"),
        (LEAST + "replicas = 1.5\n", "whole number"),
        (LEAST + "replicas = true\n", "a number"),
        (LEAST + 'dispatch = "random"\n', "round_robin, least_outstanding"),
        (LEAST + 'admission = "evict"\n', "blocks, whole"),
        (LEAST + "replicas = 2\n" + SCALES, "replicas beside [autoscaling]"),
        (LEAST + "[cold_start]\npull_s = 3\n", "without [autoscaling]"),
        (LEAST + '[autoscaling]\npolicy = "queue"\n', "no max_replicas"),
        (LEAST + "[autoscaling]\nmax_replicas = 2\n", "no policy"),
        (LEAST + '[autoscaling]\npolicy = "gpu_utilization"\nmax_replicas = 2\n', "queue, kv, schedule"),
        (LEAST + SCALES + "min_replicas = 5\n", "more than max_replicas"),
        (LEAST + SCALES + "min_replicas = 1\nscale_to_zero = true\n", "scale_to_zero beside"),
        (LEAST + SCALES + "hourly_replicas = [1]\n", "24"),
        (LEAST + SCALES + f"hourly_replicas = {[1] * 24}\n", "schedule"),
        (LEAST + SCALES.replace("queue", "schedule") + f"hourly_replicas = {[9] * 24}\n", "more than max_replicas"),
        (LEAST + SCALES + "target_kv_frac = nan\n", "finite"),
        (LEAST + '[cost]\nusd_per_replica_h = 2\noffer = "x"\n', "both"),
        (LEAST + "[cost]\nusd_per_replica_h = -1\n", "at least 0"),
        ("fleet = 3\n", "must be a table"),
        (LEAST + '[spill]\nmodel = "Gemma-4-31B"\n', "without spill_above_requests_per_replica"),
        (LEAST + "spill_above_requests_per_replica = -1\n", "whole number from 0"),
        (LEAST + SPILLS + "ttft_s = 1\n", "both ttft_s and tpot_s"),
        (LEAST + SPILLS + "tpot_s = 0\nttft_s = 1\n", "tpot_s must be"),
        (LEAST + "[spot]\n", "no zones"),
        (LEAST + "[spot]\nzones = []\n", "a list of texts"),
        (LEAST + '[spot]\nzones = ["us-west-2a", 2]\n', "a text"),
        (LEAST + '[spot]\nzones = ["us-west-2a"]\nkept_replicas = 2\n', "keeps 2 replicas of 1"),
    ],
)
def test_a_fault_is_named(text: str, said: str) -> None:
    with pytest.raises(InputError) as wrong:
        stated(text)
    assert said in f"{wrong.value.message} {wrong.value.cause} {wrong.value.hint}"


@pytest.mark.parametrize("change", [("Llama-3.1-8B", "Lama-8B"), ("H100", "H1000"), ("gpu", 'precision = "fp7"\ngpu')])
def test_an_unknown_name_gets_the_nearest(change: tuple[str, str]) -> None:
    with pytest.raises(UnknownName) as unknown:
        stated(LEAST.replace(*change))
    assert "nearest" in str(unknown.value.hint)


@pytest.mark.parametrize("content", [b"\xff\xfe", b"[fleet", b"x" * (1 << 21)])
def test_what_is_no_toml_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "fleet.toml"
    path.write_bytes(content)
    with pytest.raises(InputError):
        read_fleet(path)
    with pytest.raises(InputError):
        read_fleet(tmp_path / "none.toml")
