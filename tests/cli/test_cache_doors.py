"""``cache stats`` and ``cache flush``: what scripts were promised, and bad input in words."""

from __future__ import annotations

import csv
import io
import json
import os
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from breakeven.cache import cache_file
from breakeven.cache.semantic_evidence import Basis, EvidenceStore
from breakeven.cli import main
from breakeven.ledger import ledger_file
from breakeven.render.json import published_schema
from cache.server import Server
from cache.stored import key


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    for name in [name for name in os.environ if name.startswith("BREAKEVEN_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def fill(path: Path, **answers: int) -> None:
    put = "INSERT INTO answers (key, expires_at_s, used_at_s, answer) VALUES (?, ?, 1790000000, x'00')"
    with closing(cache_file.connect(path, create=True, busy_timeout_s=1)) as connection:
        for tenant, number in answers.items():
            connection.executemany(
                put, [(key(n, tenant), 1_790_000_100 if n else 4_000_000_000) for n in range(number)]
            )


def typed(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    found = main.run(arguments)
    printed = capsys.readouterr()
    assert found == code, printed.err
    return printed.err if code else printed.out


def as_json(capsys: pytest.CaptureFixture[str], name: str, *arguments: str) -> Any:
    body = json.loads(typed(capsys, *arguments, "--format", "json"))
    Draft202012Validator(published_schema(name)).validate(body)
    return body


def test_stats_say_what_is_there(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    fill(folder / "breakeven-cache.db", acme=3, other=2)
    body = as_json(capsys, "cache-stats", "cache", "stats")
    assert (body["answers"], body["expired"], body["flushes"]) == (5, 3, [])
    assert (body["least_used_at"], body["next_expiry"]) == ("2026-09-21T14:13:20+00:00", "2026-09-21T14:15:00+00:00")
    assert 0 < body["used_bytes"] <= body["file_bytes"] + (8 << 20)
    assert "5 answers, 3 of them expired" in typed(capsys, "cache", "stats")
    (row,) = csv.DictReader(io.StringIO(typed(capsys, "cache", "stats", "--format", "csv")))
    assert (row["answers"], row["expired"]) == ("5", "3")


def test_a_flush_is_of_one_tenant_or_of_everyone(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    path = folder / "mine.db"
    fill(path, acme=3, other=2)
    body = as_json(capsys, "cache-flush", "cache", "flush", "--tenant", "acme", "--cache", str(path))
    assert (body["tenant"], body["epoch"], body["answers"]) == ("acme", 1, 3)
    assert "No answer of everyone from before now is served any more. 2 were deleted." in typed(
        capsys, "cache", "flush", "--cache", str(path)
    )
    body = as_json(capsys, "cache-stats", "cache", "stats", "--cache", str(path))
    assert body["flushes"] == [{"tenant": None, "flushes": 1}, {"tenant": "acme", "flushes": 1}]
    assert (body["answers"], body["least_used_at"], body["next_expiry"]) == (0, None, None)
    assert "everyone" in typed(capsys, "cache", "stats", "--cache", str(path))


def test_the_file_is_named_by_a_variable_or_the_configuration(
    capsys: pytest.CaptureFixture[str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(folder / "a.db", acme=1)
    fill(folder / "b.db", acme=2)
    (folder / "breakeven.toml").write_text('[cache]\nenabled = true\nfile = "a.db"\n')
    assert as_json(capsys, "cache-stats", "cache", "stats")["answers"] == 1
    monkeypatch.setenv("BREAKEVEN_CACHE", "b.db")
    assert as_json(capsys, "cache-stats", "cache", "stats")["answers"] == 2


def test_what_is_no_cache_is_refused_in_words(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    for command in ("stats", "flush"):
        said = typed(capsys, "cache", command, code=2)
        assert said.startswith("error: no cache at breakeven-cache.db\ncause: ")
    with ledger_file.opened(folder / "breakeven.db", create=True):
        pass
    assert "is a ledger of Breakeven" in typed(capsys, "cache", "flush", "--cache", "breakeven.db", code=2)
    (folder / "text").write_text("no database" * 99)
    assert "is no SQLite file" in typed(capsys, "cache", "stats", "--cache", "text", code=2)


def test_a_server_is_flushed_too(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    server = Server(folder)
    try:
        before_ns = time.time_ns()
        body = as_json(capsys, "cache-flush", "cache", "flush", "--tenant", "acme", "--cache", server.url)
        assert body["answers"] is None
        found = server.said(lambda client: client.get("breakeven:1:epoch:acme"))
        assert found == str(body["epoch"]).encode()
        assert body["epoch"] >= before_ns
        assert "not counted here" in typed(capsys, "cache", "stats", "--cache", server.url, code=2)
    finally:
        server.stop()
    said = typed(capsys, "cache", "flush", "--cache", server.url.replace("//", "//user:secret@"), code=3)
    assert said.startswith("error: the cache's server did not answer\ncause: ")
    assert "secret" not in said
    assert "no URL" in typed(capsys, "cache", "flush", "--cache", "redis://x:y", code=2)


def test_stats_say_how_other_wordings_came_out(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    path = folder / "breakeven-cache.db"
    basis = Basis("gpt-4o-mini", b"what it rests on", 0.05)
    with closing(EvidenceStore.open(path)) as store:
        for number in range(120):
            store.record(basis, wrong=number == 60)
    (told,) = as_json(capsys, "cache-stats", "cache", "stats")["other_wordings"]
    assert (told["route"], told["compared"], told["wrong"], told["alarms"]) == ("gpt-4o-mini", 120, 1, 0)
    assert told["clears"] == (told["wrong_frac_upper"] < told["promised_frac"])
    assert "gpt-4o-mini" in typed(capsys, "cache", "stats")
