"""The ledger's tables, as numbered steps: a file that an older Breakeven wrote is upgraded in place.

Times are integers: nanoseconds, or for a slot the second in which 15 minutes begin. Money is integer nano-dollars.

``entries`` is one row an attempt. Two sums of it are kept in the same transaction: ``rollups`` by everything that
totals can be asked by, and ``spending`` by budget scope. An entry counts in the slot in which its hold was placed
(``counted_at_ns``), so that budget, totals and entries agree at every window's edge.
"""

from __future__ import annotations

from typing import Final

_KEYS_AND_BUDGETS: Final = """
CREATE TABLE facts (
    name TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE keys (
    key_id TEXT PRIMARY KEY,
    secret_sha256 BLOB NOT NULL UNIQUE,
    tenant TEXT NOT NULL,
    team TEXT NOT NULL,
    user TEXT NOT NULL,
    name TEXT NOT NULL,
    allowed_models TEXT NOT NULL,
    max_nano_usd_per_request INTEGER,
    requests_per_minute INTEGER,
    tokens_per_minute INTEGER,
    parallel_requests INTEGER,
    tags TEXT NOT NULL,
    created_at_ns INTEGER NOT NULL,
    expires_at_ns INTEGER,
    revoked_at_ns INTEGER,
    changed INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX keys_by_change ON keys (changed);

CREATE TABLE budgets (
    budget_id TEXT PRIMARY KEY,
    tenant TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    limit_nano_usd INTEGER NOT NULL,
    window TEXT NOT NULL,
    timezone TEXT NOT NULL,
    on_exceed TEXT NOT NULL,
    alert_frac REAL NOT NULL,
    removed INTEGER NOT NULL DEFAULT 0,
    changed INTEGER NOT NULL,
    UNIQUE (tenant, kind, name, window, timezone)
) WITHOUT ROWID;
CREATE INDEX budgets_by_change ON budgets (changed);
"""

_ENTRIES: Final = """
CREATE TABLE scope_sets (
    scope_set INTEGER PRIMARY KEY,
    scopes TEXT NOT NULL UNIQUE
);

CREATE TABLE entries (
    request_id TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    first INTEGER NOT NULL,
    counted_at_ns INTEGER NOT NULL,
    scope_set INTEGER NOT NULL,
    started_at_ns INTEGER NOT NULL,
    duration_s REAL NOT NULL,
    ttft_s REAL,
    tenant TEXT NOT NULL,
    team TEXT NOT NULL,
    user TEXT NOT NULL,
    key_id TEXT NOT NULL,
    tags TEXT NOT NULL,
    operation TEXT NOT NULL,
    stream INTEGER NOT NULL,
    requested_model TEXT NOT NULL,
    served_model TEXT NOT NULL,
    deployment TEXT NOT NULL,
    provider TEXT NOT NULL,
    outcome TEXT NOT NULL,
    http_status INTEGER NOT NULL,
    input_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    cache_read_tokens INTEGER NOT NULL,
    cache_write_5m_tokens INTEGER NOT NULL,
    cache_write_1h_tokens INTEGER NOT NULL,
    reasoning_tokens INTEGER NOT NULL,
    usage_basis TEXT NOT NULL,
    list_nano_usd INTEGER NOT NULL,
    effective_nano_usd INTEGER NOT NULL,
    baseline_nano_usd INTEGER NOT NULL,
    price_source TEXT NOT NULL,
    price_date TEXT NOT NULL,
    upstream_request_id TEXT NOT NULL,
    decision TEXT NOT NULL
);
CREATE UNIQUE INDEX entries_by_request ON entries (request_id, attempt);
CREATE INDEX entries_by_time ON entries (counted_at_ns);

CREATE TABLE rollups (
    slot_s INTEGER NOT NULL,
    tenant TEXT NOT NULL,
    team TEXT NOT NULL,
    user TEXT NOT NULL,
    key_id TEXT NOT NULL,
    served_model TEXT NOT NULL,
    deployment TEXT NOT NULL,
    outcome TEXT NOT NULL,
    tags TEXT NOT NULL,
    requests INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    input_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    cache_read_tokens INTEGER NOT NULL,
    cache_write_5m_tokens INTEGER NOT NULL,
    cache_write_1h_tokens INTEGER NOT NULL,
    reasoning_tokens INTEGER NOT NULL,
    list_nano_usd INTEGER NOT NULL,
    effective_nano_usd INTEGER NOT NULL,
    baseline_nano_usd INTEGER NOT NULL,
    PRIMARY KEY (slot_s, tenant, team, user, key_id, served_model, deployment, outcome, tags)
) WITHOUT ROWID;

CREATE TABLE spending (
    tenant TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    slot_s INTEGER NOT NULL,
    nano_usd INTEGER NOT NULL,
    PRIMARY KEY (tenant, kind, name, slot_s)
) WITHOUT ROWID;
"""

_AUDIO: Final = "\n".join(
    f"ALTER TABLE {table} ADD COLUMN {column} INTEGER NOT NULL DEFAULT 0;"
    for table in ("entries", "rollups")
    for column in ("input_audio_tokens", "cache_read_audio_tokens", "output_audio_tokens")
)

_ATTRIBUTION: Final = """
ALTER TABLE entries ADD COLUMN served_from TEXT NOT NULL DEFAULT 'upstream';
ALTER TABLE entries ADD COLUMN marked_by TEXT NOT NULL DEFAULT 'none';
ALTER TABLE entries ADD COLUMN prompt_cache_saved_nano_usd INTEGER NOT NULL DEFAULT 0;
ALTER TABLE entries ADD COLUMN removed_input_tokens INTEGER NOT NULL DEFAULT 0;
ALTER TABLE entries ADD COLUMN removed_nano_usd INTEGER NOT NULL DEFAULT 0;

CREATE TABLE attributed_rollups (
    slot_s INTEGER NOT NULL,
    tenant TEXT NOT NULL,
    team TEXT NOT NULL,
    user TEXT NOT NULL,
    key_id TEXT NOT NULL,
    served_model TEXT NOT NULL,
    deployment TEXT NOT NULL,
    outcome TEXT NOT NULL,
    tags TEXT NOT NULL,
    served_from TEXT NOT NULL,
    marked_by TEXT NOT NULL,
    requests INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    input_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    cache_read_tokens INTEGER NOT NULL,
    cache_write_5m_tokens INTEGER NOT NULL,
    cache_write_1h_tokens INTEGER NOT NULL,
    reasoning_tokens INTEGER NOT NULL,
    input_audio_tokens INTEGER NOT NULL,
    cache_read_audio_tokens INTEGER NOT NULL,
    output_audio_tokens INTEGER NOT NULL,
    removed_input_tokens INTEGER NOT NULL,
    list_nano_usd INTEGER NOT NULL,
    effective_nano_usd INTEGER NOT NULL,
    baseline_nano_usd INTEGER NOT NULL,
    prompt_cache_saved_nano_usd INTEGER NOT NULL,
    removed_nano_usd INTEGER NOT NULL,
    PRIMARY KEY (
        slot_s, tenant, team, user, key_id, served_model, deployment, outcome, tags, served_from, marked_by
    )
) WITHOUT ROWID;
INSERT INTO attributed_rollups
SELECT slot_s, tenant, team, user, key_id, served_model, deployment, outcome, tags, 'upstream', 'none',
    requests, attempts, input_tokens, output_tokens, cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens,
    reasoning_tokens, input_audio_tokens, cache_read_audio_tokens, output_audio_tokens, 0,
    list_nano_usd, effective_nano_usd, baseline_nano_usd, 0, 0
FROM rollups;
DROP TABLE rollups;
ALTER TABLE attributed_rollups RENAME TO rollups;
"""

STEPS: Final = (_KEYS_AND_BUDGETS, _ENTRIES, _AUDIO, _ATTRIBUTION)
"""Step N makes version N of version N - 1; a published step is never changed."""
