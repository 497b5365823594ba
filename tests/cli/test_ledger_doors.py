"""``key``, ``budget`` and ``ledger``: what was promised to scripts, and bad input in words."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import os
import stat
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from breakeven.cli import main
from breakeven.ledger.ledger_file import opened
from breakeven.ledger.recording import Recorder, Settled
from breakeven.ledger.sqlite_ledger import SqliteLedger
from breakeven.policy.budget import Admission
from breakeven.render.json import published_schema
from ledger.ledgers import AT_NS, KEY, SCOPES, entry


class Door:
    """The command line in a folder of its own."""

    def __init__(self, capsys: pytest.CaptureFixture[str], folder: Path) -> None:
        self.capsys = capsys
        self.folder = folder
        self.path = folder / "breakeven.db"

    def __call__(self, *arguments: str, code: int = 0) -> str:
        found = main.run(arguments)
        printed = self.capsys.readouterr()
        assert found == code, printed.err
        return printed.err if code else printed.out

    def json(self, name: str, *arguments: str) -> Any:
        body = json.loads(self(*arguments, "--format", "json"))
        assert body["schema"] == f"breakeven/{name}/1"
        Draft202012Validator(published_schema(name)).validate(body)
        return body

    def rows(self, *arguments: str) -> list[dict[str, str]]:
        return list(csv.DictReader(io.StringIO(self(*arguments, "--format", "csv"))))


@pytest.fixture
def door(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Door:
    for name in [name for name in os.environ if name.startswith("BREAKEVEN_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return Door(capsys, tmp_path)


CREATE = ("key", "create", "--tenant", "acme", "--user", "alice")


def spend(path: Path, *settled: Settled) -> None:
    with opened(path, create=True) as connection:
        Recorder(connection).record(settled, committed=1, floor=1)


def test_a_key_is_shown_once_and_kept_as_a_digest(door: Door) -> None:
    options = ("--team", "red", "--models", "gpt-4o,claude", "--rpm", "60", "--tpm", "1000", "--parallel", "3")
    more = ("--max-usd-per-request", "0.5", "--expires-in", "90d", "--tag", "project=atlas", "--name", "laptop")
    made = door.json("key", *CREATE, *options, *more, "--budget-usd", "12.5", "--window", "30d")
    assert made["key"].startswith("sk-be-")
    assert len(made["key"]) >= 6 + 43  # 32 random bytes
    assert made["budget"]["limit_nano_usd"] == 12_500_000_000
    assert (made["budget"]["scope"], made["budget"]["window"]) == (f"key:{made['key_id']}", "30d")
    (listed,) = door.json("keys", "key", "list")["keys"]
    assert listed == {name: value for name, value in made.items() if name not in {"schema", "key", "budget"}}
    assert (listed["max_nano_usd_per_request"], listed["allowed_models"]) == (500_000_000, ["claude", "gpt-4o"])
    with opened(door.path) as connection:
        stored = connection.execute("SELECT secret_sha256 FROM keys").fetchall()
    assert stored == [(sha256(made["key"].encode()).digest(),)]
    files = b"".join(file.read_bytes() for file in door.folder.iterdir())
    assert made["key"].encode() not in files
    assert stat.S_IMODE(door.path.stat().st_mode) & 0o077 == 0


def test_a_key_is_revoked(door: Door) -> None:
    made = door.json("key", *CREATE)
    assert door.rows("key", "revoke", made["key_id"])[0]["status"] == "revoked"
    assert door.rows("key", "list", "--tenant", "acme")[0]["status"] == "revoked"
    assert door.rows("key", "list", "--tenant", "other") == []
    assert door("key", "revoke", "key_0", code=2) == "error: no key 'key_0'\nhint: breakeven key list\n"


def test_setting_a_budget_again_replaces_it(door: Door) -> None:
    common = ("--tenant", "acme", "--window", "day", "--timezone", "Europe/Berlin")
    first = door.json("budgets", "budget", "set", "user:alice", "--usd", "5", *common)["budgets"]
    again = door.json("budgets", "budget", "set", "user:alice", "--usd", "7", *common, "--on-exceed", "alert")
    assert [each["budget_id"] for each in first] == [each["budget_id"] for each in again["budgets"]]
    (listed,) = door.json("budgets", "budget", "list")["budgets"]
    assert (listed["limit_usd"], listed["on_exceed"]) == ("7.000000000", "alert")
    door("budget", "remove", listed["budget_id"])
    assert door.json("budgets", "budget", "list")["budgets"] == []
    assert "no budget" in door("budget", "remove", listed["budget_id"], code=2)


def test_a_budget_shows_what_is_spent_held_and_left_while_a_process_serves(door: Door) -> None:
    door("budget", "set", "key:key_1", "--usd", "0.000001", "--tenant", "acme", "--window", "total")

    async def serve() -> None:
        ledger = SqliteLedger.open(door.path)
        ledger._commit.stop()  # nothing reaches SQLite: what is known is in the journal
        for name in ("r1", "r2"):
            hold = await ledger.hold(name, SCOPES, 300, AT_NS)
            assert not isinstance(hold, Admission)
            if name == "r1":
                await ledger.settle(hold, entry("r1", 200))
        (state,) = door.json("budgets", "budget", "list")["budgets"]
        assert (state["scope"], state["limit_nano_usd"]) == (KEY.text, 1_000)
        assert (state["spent_nano_usd"], state["reserved_nano_usd"], state["left_nano_usd"]) == (200, 300, 500)
        await ledger.close()

    asyncio.run(serve())
    # Nobody serves now: whoever looks carries the journal over, and the open hold costs its bound.
    (state,) = door.json("budgets", "budget", "list")["budgets"]
    assert (state["spent_nano_usd"], state["reserved_nano_usd"]) == (500, 0)


def test_totals_have_their_groups_and_money_as_promised(door: Door) -> None:
    spend(
        door.path,
        Settled(1, entry("r1", 1_500_000_000, tags=("project=atlas",)), AT_NS, SCOPES, True),
        Settled(2, entry("r1", 500, attempt=2), AT_NS, SCOPES, False),
        Settled(3, entry("r2", 7, user="=bob()"), AT_NS, SCOPES, True),
    )
    body = door.json("totals", "ledger", "totals", "--by", "user,model,key,day,tag:project", "--tenant", "acme")
    assert sum(row["nano_usd"] for row in body["rows"]) == 1_500_000_507
    atlas = next(row for row in body["rows"] if row["tag:project"] == "atlas")
    assert (atlas["user"], atlas["model"], atlas["key"], atlas["day"]) == (
        "alice",
        "gpt-4o-mini",
        "key_1",
        "2026-09-21",
    )
    assert (atlas["usd"], atlas["requests"], atlas["attempts"]) == ("1.500000000", 1, 1)
    assert [row["user"] for row in door.rows("ledger", "totals", "--by", "user")] == ["'=bob()", "alice"]
    assert "$1.5000" in door("ledger", "totals", "--by", "user")
    only = door.json(
        "totals", "ledger", "totals", "--only", "user=alice", "--since", "2026-09-21", "--until", "2026-09-22"
    )
    assert (only["rows"][0]["nano_usd"], only["since"]) == (1_500_000_500, "2026-09-21T00:00:00+00:00")
    zone = ("--timezone", "Pacific/Auckland")
    assert (
        door.json("totals", "ledger", "totals", "--until", "2026-09-22", *zone)["until"] == "2026-09-21T12:00:00+00:00"
    )


def test_a_request_can_be_looked_up(door: Door) -> None:
    spend(door.path, Settled(1, entry("r1", 1_500, outcome="timeout"), AT_NS, SCOPES, True))
    body = door.json("entries", "ledger", "show", "r1")
    assert (body["entries"][0]["nano_usd"], body["entries"][0]["usd"]) == (1_500, "0.000001500")
    assert body["entries"][0]["usage"]["input_tokens"] == 10
    assert door.rows("ledger", "show", "r1")[0]["outcome"] == "timeout"
    assert "Attempt 1: timeout" in door("ledger", "show", "r1")


def test_a_backup_and_retention_say_what_they_did(door: Door) -> None:
    spend(door.path, Settled(1, entry("r1", 7), AT_NS - 400 * 86_400 * 10**9, SCOPES, True))
    assert door.json("backup", "ledger", "backup", "copy.db")["entries"] == 1
    assert door.json("prune", "ledger", "prune", "--older-than", "90d")["entries"] == 1
    assert "no request" in door("ledger", "show", "r1", code=2)
    assert door.json("totals", "ledger", "totals")["rows"][0]["nano_usd"] == 7
    assert "r1" in door("ledger", "show", "r1", "--ledger", "copy.db")


def test_a_backup_into_a_folder_that_is_not_there_says_so_and_leaves_nothing(door: Door) -> None:
    door(*CREATE)
    before = sorted(door.folder.iterdir())
    assert door("ledger", "backup", "no such/folder/copy.db", code=2) == (
        "error: cannot back up to no such/folder/copy.db\n"
        "cause: no such/folder does not exist\n"
        "hint: mkdir -p 'no such/folder'\n"
    )
    Path("file").touch()
    assert "cause: file is no folder" in door("ledger", "backup", "file/copy.db", code=2)
    Path("file").unlink()
    assert sorted(door.folder.iterdir()) == before


def test_the_ledger_is_named_by_a_variable(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BREAKEVEN_LEDGER", "other.db")
    door(*CREATE)
    assert Path("other.db").exists()
    assert not door.path.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("key", "list"), "error: no ledger at breakeven.db"),
        (("ledger", "totals"), "error: no ledger at breakeven.db"),
        (("budget", "list", "--ledger", "."), "error: invalid value for '--ledger'"),
        ((*CREATE, "--tag", "project"), "error: 'project' is no tag"),
        ((*CREATE, "--expires-in", "soon"), "error: invalid value for '--expires-in'"),
        ((*CREATE, "--expires-in", "999999999d"), "error: the key would never expire"),
        ((*CREATE, "--max-usd-per-request", "-1"), "error: a request cannot cost less than nothing"),
        ((*CREATE, "--budget-usd", "-1"), "error: a budget is between 0 and 1,000,000,000"),
        ((*CREATE, "--budget-usd", "1e30"), "error: a budget is between 0 and 1,000,000,000"),
        ((*CREATE, "--budget-usd", "1", "--window", "hour"), "error: 'hour' is no window"),
        ((*CREATE, "--budget-usd", "1", "--timezone", "Berlin"), "error: no time zone 'Berlin'"),
        (("key", "create", "--tenant", "", "--user", "a"), "error: a key needs a tenant"),
        (("budget", "set", "user", "--usd", "1", "--tenant", "acme"), "error: 'user' is no scope"),
        (("budget", "set", "user:a", "--usd", "1", "--tenant", "acme", "--alert-frac", "2"), "error: a budget is"),
    ],
)
def test_bad_input_is_refused_in_words_and_makes_no_file(door: Door, arguments: tuple[str, ...], message: str) -> None:
    said = door(*arguments, code=2).splitlines()
    assert said[0].startswith(message)
    assert said[-1].startswith("hint: ")
    assert list(door.folder.glob("*.journal*")) == []
    if door.path.exists():  # whatever was begun, nothing is in it
        assert door.json("keys", "key", "list")["keys"] == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("ledger", "totals", "--by", "usr"), "error: totals cannot be grouped by 'usr'"),
        (("ledger", "totals", "--only", "user"), "error: --only cannot use 'user'"),
        (("ledger", "totals", "--since", "yesterday"), "error: invalid value for '--since'"),
        (("ledger", "totals", "--timezone", "Mars"), "error: no time zone 'Mars'"),
        (("ledger", "show", "r9"), "error: no request 'r9'"),
        (("ledger", "prune", "--older-than", "0d"), "error: invalid value for '--older-than'"),
        (("ledger", "backup", "breakeven.db"), "error: breakeven.db exists"),
    ],
)
def test_bad_questions_are_refused_in_words(door: Door, arguments: tuple[str, ...], message: str) -> None:
    door(*CREATE)
    said = door(*arguments, code=2).splitlines()
    assert said[0].startswith(message)
    assert said[-1].startswith("hint: ")


def test_a_second_ledger_file_of_another_kind_is_refused(door: Door) -> None:
    door.path.write_text("hello, this is not a database\n" * 100)
    assert door("key", "list", code=2).startswith("error: breakeven.db is no SQLite file")
