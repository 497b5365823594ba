"""Keys and budgets at rest: older files keep them, secrets are not in them, changes are whole."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from breakeven.errors import InputError, UnknownName
from breakeven.ledger import budgets, keys
from breakeven.ledger.ledger_file import opened
from breakeven.ledger.schema import STEPS
from breakeven.policy.virtual_key import RateLimits
from breakeven.stores import sqlite
from breakeven.stores.sqlite import transaction
from ledger.ledgers import AT_NS, TENANT, USER, budget, rows


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "breakeven.db"


def test_a_ledger_of_an_older_version_keeps_its_keys_and_budgets(path: Path) -> None:
    new = keys.new_key("acme", user="alice")
    with closing(sqlite.connect(path, create=True)) as connection:
        sqlite.upgrade(connection, path, STEPS[:1])
        keys.create(connection, new)
        budgets.set_budget(connection, budget(TENANT, 100, "day", "Europe/Berlin"))
    with opened(path) as connection:
        assert keys.listed(connection) == (new.key,)
        (state,) = budgets.listed(connection, path, AT_NS)
        assert state.budget == budget(TENANT, 100, "day", "Europe/Berlin")
        assert connection.execute("PRAGMA user_version").fetchone() == (len(STEPS),)
    assert rows(path) == []


def test_a_newer_ledger_is_refused(path: Path) -> None:
    with opened(path, create=True) as connection:
        connection.execute(f"PRAGMA user_version = {len(STEPS) + 1}")
    with pytest.raises(InputError, match="newer"), opened(path):
        pass


def test_a_key_comes_back_as_it_was_made(path: Path) -> None:
    new = keys.new_key(
        "acme",
        lifetime=timedelta(days=90),
        limits=RateLimits(requests_per_minute=60, parallel_requests=2),
        team="red",
        user="alice",
        name="laptop",
        allowed_models=frozenset({"gpt-4o"}),
        max_nano_usd_per_request=5,
        tags=("project=atlas",),
    )
    with opened(path, create=True) as connection:
        keys.create(connection, new)
        assert dict(keys.changed_since(connection, 0)) == {keys.digest(new.secret): new.key}
        assert dict(keys.changed_since(connection, 1)) == {}
        revoked = keys.revoke(connection, new.key.key_id)
        assert revoked.revoked_at is not None
        assert keys.revoke(connection, new.key.key_id).revoked_at == revoked.revoked_at
        assert [key for _, key in keys.changed_since(connection, 1)] == [revoked]


def test_secrets_differ_and_are_long() -> None:
    secrets = {keys.new_key("acme").secret for _ in range(100)}
    assert len(secrets) == 100
    assert all(len(secret) >= len(keys.SECRET_PREFIX) + 43 for secret in secrets)


def test_a_secret_is_not_printed_with_its_key() -> None:
    new = keys.new_key("acme")
    assert new.secret not in repr(new)


def test_a_key_and_its_budget_are_made_together_or_not_at_all(path: Path) -> None:
    def both(connection: sqlite3.Connection) -> None:
        with transaction(connection):
            keys.insert(connection, keys.new_key("acme"))
            budgets.put(connection, budget(TENANT, -1))

    with opened(path, create=True) as connection:
        with pytest.raises(InputError):
            both(connection)
        assert keys.listed(connection) == ()


def test_a_budget_is_replaced_by_scope_and_window(path: Path) -> None:
    with opened(path, create=True) as connection:
        for each in (budget(USER, 5, "day"), budget(USER, 7, "day", on_exceed="alert"), budget(USER, 9, "month")):
            budgets.set_budget(connection, each)
        found = [state.budget for state in budgets.listed(connection, path, AT_NS)]
        assert found == [budget(USER, 7, "day", on_exceed="alert"), budget(USER, 9, "month")]
        budgets.remove(connection, found[0].budget_id)
        with pytest.raises(UnknownName):
            budgets.remove(connection, found[0].budget_id)
        assert [change.removed for change in budgets.changed_since(connection, 3)] == [True]
        budgets.set_budget(connection, found[0])  # and set again
        assert [state.budget for state in budgets.listed(connection, path, AT_NS)] == found


def test_errors_of_sqlite_come_out_in_words(path: Path) -> None:
    with opened(path, create=True):
        pass
    with pytest.raises(Exception, match="cannot use") as caught, opened(path) as connection:
        connection.execute("SELECT * FROM nothing")
    assert isinstance(caught.value.__cause__, sqlite3.Error)
