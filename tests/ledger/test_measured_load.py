"""`breakeven calibrate` from a ledger that was really written: which attempts count, and what is refused."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from breakeven.catalog.usage import Usage
from breakeven.cli.main import run
from breakeven.errors import InputError, UnknownName
from breakeven.ledger.entry import LedgerEntry
from breakeven.ledger.ledger_file import opened
from breakeven.ledger.measured_load import AROUND_NS, LedgerStretch, measured_load
from breakeven.ledger.sqlite_ledger import SqliteLedger
from breakeven.policy.budget import Admission
from breakeven.render.json import published_schema
from breakeven.serving.answers import answer_points
from breakeven.serving.benchmark_reports import StatedDeployment
from breakeven.serving.observed_load import LEAST_REQUESTS
from breakeven.serving.points import Point
from ledger.ledgers import AT_NS, SCOPES, entry

S = 1_000_000_000
H100 = StatedDeployment(gpu="H100-SXM", precision="fp8")
FLAGS = ["--gpu", "H100-SXM", "--precision", "fp8"]
SLOWER = 1.25
"""Measured over modelled time of the deployment that the tests make up."""


def streamed(name: str, at_s: float, **fields: Any) -> LedgerEntry:
    given: dict[str, Any] = {
        "started_at_ns": AT_NS + round(at_s * S),
        "duration_s": 2.0,
        "ttft_s": 0.1,
        "stream": True,
        "usage": Usage(input_tokens=512, output_tokens=129),
        "served_model": "Llama-3.1-8B",
        "deployment": "vllm",
    }
    return entry(name, **{**given, **fields})


def modelled(concurrency: int) -> tuple[float, float]:
    """TTFT and TPOT of the model, seconds."""
    point = Point(
        line=1,
        gpu="H100-SXM",
        gpus=1,
        tensor_parallel=1,
        data_parallel=1,
        model="Llama-3.1-8B",
        precision="fp8",
        engine="",
        input_tokens=512,
        output_tokens=129,
        concurrency=concurrency,
        measured={},
    )
    (answer,) = answer_points([point])
    assert answer.ttft_ms is not None
    assert answer.tpot_ms is not None
    return answer.ttft_ms / 1e3, answer.tpot_ms / 1e3


def rounds(concurrency: int, at_s: float, count: int = LEAST_REQUESTS) -> Iterable[LedgerEntry]:
    """Rounds of that many requests at once, at the speed of a server that is slower than the model."""
    ttft_s, tpot_s = (SLOWER * value for value in modelled(concurrency))
    for k in range(-(-count // concurrency) * concurrency):
        times = {"ttft_s": ttft_s, "duration_s": ttft_s + 128 * tpot_s}
        yield streamed(f"c{concurrency}-{k}", at_s + 60 * (k // concurrency), **times)


def write(path: Path, entries: Iterable[LedgerEntry]) -> Path:
    """A ledger, through the store that the gateway writes to."""

    async def serve() -> None:
        ledger = SqliteLedger.open(path)
        try:
            for each in sorted(entries, key=lambda each: each.started_at_ns):
                hold = await ledger.hold(each.request_id, SCOPES, 0, each.started_at_ns, attempt=each.attempt)
                assert not isinstance(hold, Admission)
                await ledger.settle(hold, each)
        finally:
            await ledger.close()

    asyncio.run(serve())
    return path


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three loads of one deployment."""
    path = tmp_path_factory.mktemp("ledger") / "breakeven.db"
    return write(path, [*rounds(1, 0), *rounds(8, 10_000), *rounds(32, 20_000, 64)])


def test_a_slower_server_is_found_to_be_slower(
    served: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = str(tmp_path / "calibration.toml")
    assert run(["calibrate", str(served), *FLAGS, "--store", store, "--format", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    jsonschema.validate(document, published_schema("calibrate"))
    (correction,) = document["corrections"]
    assert correction["model"] == "Llama-3.1-8B"
    assert correction["tpot"]["factor"] == pytest.approx(SLOWER, rel=0.03)  # shrunk a little
    assert correction["ttft"]["factor"] == pytest.approx(SLOWER, rel=0.1)
    assert document["error_after"]["tpot"] < document["error_before"]["tpot"] == pytest.approx(1 - 1 / SLOWER, abs=0.01)
    (observed,) = document["observed"]
    assert observed["name"] == "breakeven.db: Llama-3.1-8B at vllm"
    assert [round(load["concurrency"]) for load in observed["loads"]] == [1, 8, 32]
    assert "breakeven.db (ledger, vllm)" in Path(store).read_text("utf-8")


def test_text_shows_the_loads_and_what_was_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    left_out = [
        streamed("gone", 50_000, outcome="client_gone"),
        streamed("estimated", 50_100, usage_basis="estimated"),
        streamed("whole", 50_200, stream=False),
        streamed("again", 50_300, attempt=2),
        streamed("busy", 50_400, outcome="refused_by_upstream"),
        streamed("short", 50_500, usage=Usage(input_tokens=5, output_tokens=3)),
    ]
    path = write(tmp_path / "breakeven.db", [*rounds(1, 0), *left_out])
    assert run(["calibrate", str(path), *FLAGS, "--store", str(tmp_path / "kept.toml")]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert f"{LEAST_REQUESTS} requests are used, 6 left out." in shown
    for reason in ("1 the client went away", "1 a retry or a fallback", "1 not streamed", "1 refused by the upstream"):
        assert reason in shown
    assert "1 token counts are not the upstream's own" in shown


def test_only_the_stretch_counts_and_what_overlaps_it_is_load(tmp_path: Path) -> None:
    night = [streamed(f"n{k}", -30_000 + 60 * k, duration_s=9.0) for k in range(LEAST_REQUESTS)]
    before = [streamed("before", -10, duration_s=10_000.0)]
    path = write(tmp_path / "breakeven.db", [*night, *before, *rounds(1, 0)])
    found = measured_load(path, LedgerStretch(since_ns=AT_NS, until_ns=AT_NS + 10**6 * S), H100).observed
    assert found is not None
    assert found.left_out == {}
    assert [load.concurrency for load in found.loads] == [pytest.approx(2)]
    assert 10 * S < AROUND_NS < 30_000 * S


def test_requests_in_the_journal_of_a_running_gateway_do_not_block_it(served: Path) -> None:
    async def serve() -> None:
        ledger = SqliteLedger.open(served)
        try:
            points = await asyncio.to_thread(measured_load, served, LedgerStretch(), H100)
            assert len(points.servers) == 3
        finally:
            await ledger.close()

    asyncio.run(serve())


def test_rows_are_read_in_order_without_sorting_them(served: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(served) as connection:
        queries: list[str] = []
        connection.set_trace_callback(queries.append)
        monkeypatch.setattr("breakeven.ledger.measured_load.opened", lambda _: _Open(connection))
        measured_load(served, LedgerStretch(), H100)
        connection.set_trace_callback(None)
        (query,) = [each for each in queries if "FROM entries" in each]
        steps = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {query}")]
    assert len(steps) == 1, steps
    assert "entries_by_time" in steps[0]


class _Open:
    """A connection that is open already."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def __enter__(self) -> Any:
        return self._connection

    def __exit__(self, *raised: object) -> None:
        """Leave it open."""


def test_what_is_ambiguous_or_unknown_is_named_with_what_helps(served: Path, tmp_path: Path) -> None:
    two = [streamed("a", 0), streamed("b", 1, deployment="sglang"), streamed("c", 2, served_model="Qwen3-8B")]
    path = write(tmp_path / "two.db", two)
    with pytest.raises(InputError, match="several deployments") as refused:
        measured_load(path, LedgerStretch(), H100)
    assert "sglang, vllm" in str(refused.value.cause)
    with pytest.raises(InputError, match="vllm served several models") as refused:
        measured_load(path, LedgerStretch(deployment="vllm"), H100)
    assert "--served-model" in str(refused.value.hint)
    with pytest.raises(UnknownName, match="vlm") as unknown:
        measured_load(path, LedgerStretch(deployment="vlm"), H100)
    assert "vllm" in str(unknown.value.cause)
    with pytest.raises(InputError, match="on which GPU"):
        measured_load(served, LedgerStretch(), StatedDeployment())
    with opened(tmp_path / "empty.db", create=True):
        pass
    with pytest.raises(InputError, match="has no entries"):
        measured_load(tmp_path / "empty.db", LedgerStretch(), H100)


def test_too_few_requests_are_refused_with_their_number(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "few.db", [*rounds(1, 0, LEAST_REQUESTS - 1), streamed("x", 9_000, outcome="timeout")])
    assert run(["calibrate", str(path), *FLAGS, "--store", str(tmp_path / "kept.toml")]) == 2
    said = capsys.readouterr().err
    assert f"at least {LEAST_REQUESTS}" in said
    assert f"fewer than {LEAST_REQUESTS} requests met: {LEAST_REQUESTS - 1}" in said
    assert "timed out: 1" in said
    assert not (tmp_path / "kept.toml").exists()


@pytest.mark.parametrize("stretch", [["--since", "9999-12-31"], ["--until", "1900-01-01"]])
def test_a_stretch_without_requests_has_too_few(
    served: Path, stretch: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["calibrate", str(served), *FLAGS, *stretch]) == 2
    assert "too few requests to vllm" in capsys.readouterr().err


def test_flags_of_a_ledger_without_one_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = tmp_path / "report.json"
    report.write_text("{}", "utf-8")
    assert run(["calibrate", str(report), *FLAGS, "--served-model", "x"]) == 2
    assert "--served-model is of a ledger" in capsys.readouterr().err
