"""SQLite files: upgraded in place, refused in words, never half written."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from breakeven.errors import InputError, Unavailable
from breakeven.stores.sqlite import connect, reported, snapshot, transaction, upgrade

STEPS = (
    "CREATE TABLE things (name TEXT PRIMARY KEY);",
    "ALTER TABLE things ADD COLUMN price INTEGER NOT NULL DEFAULT 0; CREATE INDEX by_price ON things (price);",
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "things.db"


def names(path: Path) -> list[str]:
    with closing(connect(path)) as connection:
        return [row[0] for row in connection.execute("SELECT name FROM things ORDER BY name")]


def test_a_commit_is_synced_and_readers_are_not_held_up(path: Path) -> None:
    with closing(connect(path, create=True)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL


def test_an_older_file_is_upgraded_in_place(path: Path) -> None:
    with closing(connect(path, create=True)) as connection:
        assert upgrade(connection, path, STEPS[:1]) == 1
        connection.execute("INSERT INTO things VALUES ('kept')")
    with closing(connect(path)) as connection:
        assert upgrade(connection, path, STEPS) == 1
        assert upgrade(connection, path, STEPS) == 0
        assert connection.execute("SELECT * FROM things").fetchall() == [("kept", 0)]


def test_a_step_that_fails_leaves_the_file_as_it_was(path: Path) -> None:
    with closing(connect(path, create=True)) as connection:
        upgrade(connection, path, STEPS[:1])
        with pytest.raises(Unavailable):
            upgrade(connection, path, (STEPS[0], STEPS[1] + "INSERT INTO nowhere VALUES (1);"))
        assert connection.execute("SELECT count(*) FROM pragma_table_info('things')").fetchone() == (1,)
        assert upgrade(connection, path, STEPS) == 1


def test_a_newer_file_is_refused(path: Path) -> None:
    with closing(connect(path, create=True)) as connection:
        upgrade(connection, path, STEPS)
        with pytest.raises(InputError, match="newer") as caught:
            upgrade(connection, path, STEPS[:1])
        assert "version 2" in str(caught.value.cause)


def test_two_processes_upgrade_at_once(path: Path) -> None:
    connect(path, create=True).close()
    taken: list[int] = []

    def one() -> None:
        with closing(connect(path)) as connection:
            taken.append(upgrade(connection, path, STEPS))

    threads = [threading.Thread(target=one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(taken) == len(STEPS)
    assert len(taken) == 4


def test_another_programs_file_is_refused(path: Path) -> None:
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE theirs (x)")
    with closing(connect(path)) as connection, pytest.raises(InputError, match="another program"):
        upgrade(connection, path, STEPS)


@pytest.mark.parametrize("content", [b"not a database, but long enough to look at\n" * 100, b"\0" * 5000])
def test_what_is_no_database_is_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(InputError, match="no SQLite file"):
        connect(path)
    assert path.read_bytes() == content


def test_a_missing_file_is_made_only_where_that_is_asked_for(path: Path) -> None:
    with pytest.raises(InputError, match="no file"):
        connect(path)
    assert not path.exists()
    with pytest.raises(Unavailable):
        connect(path / "below" / "nothing.db", create=True)


def test_a_damaged_file_is_reported_in_words(path: Path) -> None:
    with closing(connect(path, create=True)) as connection:
        upgrade(connection, path, STEPS)
        with transaction(connection):
            connection.executemany("INSERT INTO things VALUES (?, 0)", [(f"thing {n}",) for n in range(2_000)])
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    data = bytearray(path.read_bytes())
    data[4096:] = b"\xff" * (len(data) - 4096)
    path.write_bytes(data)
    with closing(connect(path)) as connection, pytest.raises(InputError, match="damaged"), reported(path):
        connection.execute("SELECT * FROM things").fetchall()


def test_a_lock_that_lasts_is_unavailable(path: Path) -> None:
    with closing(connect(path, create=True)) as first, closing(connect(path, busy_timeout_s=0.01)) as second:
        upgrade(first, path, STEPS)
        first.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unavailable, match="locked"), reported(path), transaction(second):
            pass
        first.execute("ROLLBACK")


def test_a_transaction_is_whole_or_nothing(path: Path) -> None:
    with closing(connect(path, create=True)) as connection:
        upgrade(connection, path, STEPS[:1])
        with pytest.raises(sqlite3.IntegrityError), transaction(connection):
            connection.executemany("INSERT INTO things VALUES (?)", [("half",), ("half",)])
        with transaction(connection):
            connection.execute("INSERT INTO things VALUES ('whole')")
    assert names(path) == ["whole"]


def test_a_snapshot_sees_one_moment(path: Path) -> None:
    with closing(connect(path, create=True)) as reader, closing(connect(path)) as writer:
        upgrade(reader, path, STEPS[:1])
        count = "SELECT count(*) FROM things"
        with snapshot(reader):
            assert reader.execute(count).fetchone() == (0,)
            writer.execute("INSERT INTO things VALUES ('new')")
            assert reader.execute(count).fetchone() == (0,)
        assert reader.execute(count).fetchone() == (1,)
