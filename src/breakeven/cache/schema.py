"""The tables of a cache file, as numbered steps.

A key is a digest and an answer is what was answered: no question is in the file. ``used_at_s`` is when an answer was
last served, to about a minute; the one that was used longest ago makes room first. Times are seconds since 1970.
"""

from __future__ import annotations

from typing import Final

_ANSWERS: Final = """
CREATE TABLE answers (
    id INTEGER PRIMARY KEY,
    key BLOB NOT NULL UNIQUE,
    expires_at_s INTEGER NOT NULL,
    used_at_s INTEGER NOT NULL,
    answer BLOB NOT NULL
);
CREATE INDEX answers_by_expiry ON answers (expires_at_s);
CREATE INDEX answers_by_use ON answers (used_at_s);

CREATE TABLE epochs (
    tenant TEXT PRIMARY KEY,
    epoch INTEGER NOT NULL
) WITHOUT ROWID;
"""

_SEMANTIC_EVIDENCE: Final = """
CREATE TABLE semantic_evidence (
    route TEXT PRIMARY KEY,
    basis BLOB NOT NULL,
    compared INTEGER NOT NULL,
    wrong INTEGER NOT NULL,
    alarms INTEGER NOT NULL,
    drift REAL NOT NULL,
    serving INTEGER NOT NULL,
    promised_frac REAL NOT NULL,
    updated_at_s INTEGER NOT NULL
) WITHOUT ROWID;
"""

STEPS: Final = (_ANSWERS, _SEMANTIC_EVIDENCE)
"""Step N makes version N of version N - 1; a published step is never changed."""
