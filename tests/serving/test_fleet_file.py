"""A fleet file is read strictly: what is unknown, missing or impossible is an error that says what to write."""

from __future__ import annotations

import tomllib
from decimal import Decimal
from pathlib import Path

import pytest

from breakeven.errors import InputError, UnknownName
from breakeven.serving.fleet_file import FleetFile, fleet_of, read_fleet

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
