"""Evidence outlives the process, is gathered by several together, and holds for what it was gathered on alone."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from threading import Thread

import pytest

from breakeven.cache import cache_file
from breakeven.cache.semantic_evidence import Basis, EvidenceStore, evidence_of
from breakeven.errors import InputError
from breakeven.policy.semantic_bound import Evidence, after

BASIS = Basis("gpt-4o", b"all that it rests on", 0.1)


def test_a_restart_forgets_nothing(tmp_path: Path) -> None:
    path, seen = tmp_path / "cache.db", Evidence()
    for wrong in [False] * 120 + [True] + [False] * 30:
        with closing(EvidenceStore.open(path)) as store:
            assert store.read(BASIS) == seen
            seen = after(seen, BASIS.promised_frac, wrong=wrong)
            assert store.record(BASIS, wrong=wrong) == seen
    assert seen.serving
    (told,) = evidence_of(path)
    assert (told.route, told.promised_frac, told.evidence) == ("gpt-4o", 0.1, seen)


@pytest.mark.parametrize(
    "other", [BASIS._replace(digest=b"another model"), BASIS._replace(route="gpt-5"), BASIS._replace(digest=b"")]
)
def test_on_another_basis_nothing_is_known(tmp_path: Path, other: Basis) -> None:
    with closing(EvidenceStore.open(tmp_path / "cache.db")) as store:
        store.record(BASIS, wrong=False)
        assert store.read(other) == Evidence()


def test_a_new_basis_begins_anew(tmp_path: Path) -> None:
    with closing(EvidenceStore.open(tmp_path / "cache.db")) as store:
        for _ in range(200):
            store.record(BASIS, wrong=False)
        changed = BASIS._replace(digest=b"another snapshot")
        assert store.record(changed, wrong=False) == Evidence(compared=1)
        assert store.read(BASIS) == Evidence()


def test_processes_that_share_a_file_gather_together(tmp_path: Path) -> None:
    path = tmp_path / "cache.db"
    EvidenceStore.open(path).close()

    def gather() -> None:
        with closing(EvidenceStore.open(path)) as store:
            for _ in range(40):
                store.record(BASIS, wrong=False)

    threads = [Thread(target=gather) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with closing(EvidenceStore.open(path)) as store:
        assert store.read(BASIS).compared == 120


def test_a_file_of_before_there_was_evidence_is_upgraded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "cache.db"
    with monkeypatch.context() as before:
        before.setattr(cache_file, "STEPS", cache_file.STEPS[:1])
        cache_file.connect(path, create=True, busy_timeout_s=1).close()
    with closing(EvidenceStore.open(path)) as store:
        assert store.record(BASIS, wrong=True).wrong == 1


def test_what_is_no_cache_is_told(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not a database, but long enough to be read as one " * 40)
    with pytest.raises(InputError):
        EvidenceStore.open(path)
    with pytest.raises(InputError):
        evidence_of(tmp_path / "missing.db")
