"""``breakeven key`` as text, JSON (``breakeven/key/1``, ``breakeven/keys/1``) or CSV."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from breakeven import units
from breakeven.ledger.keys import NewKey
from breakeven.policy.budget import Budget
from breakeven.policy.virtual_key import VirtualKey
from breakeven.render import csv, json, text
from breakeven.render.budgets import budget_body
from breakeven.render.csv import text_cell
from breakeven.render.document import Document, Row, Section, Table, left
from breakeven.render.money import decimal_text, price_text
from breakeven.render.price_lists import rendered

_FIELDS = ("key_id", "tenant", "team", "user", "name", "allowed_models", "status", "created_at", "expires_at")


def render_new_key(new: NewKey, budget: Budget | None, output_format: str, style: text.TextStyle = text.PLAIN) -> str:
    """A key that was just made: the only time its secret is shown.

    Raises:
        InputError: an unknown format.
    """
    return rendered(
        output_format,
        {
            "text": lambda: text.render(_new_key_document(new, budget), style),
            "json": lambda: json.render("key", new_key_body(new, budget)),
            "csv": lambda: csv.render(("key", *_FIELDS), [(text_cell(new.secret), *_cells(new.key))]),
        },
    )


def render_keys(keys: Sequence[VirtualKey], output_format: str, style: text.TextStyle = text.PLAIN) -> str:
    """Keys, one a row, without secrets.

    Raises:
        InputError: an unknown format.
    """
    return rendered(
        output_format,
        {
            "text": lambda: text.render(_keys_document(keys), style),
            "json": lambda: json.render("keys", {"keys": [key_body(key) for key in keys]}),
            "csv": lambda: csv.render(_FIELDS, [_cells(key) for key in keys]),
        },
    )


def new_key_body(new: NewKey, budget: Budget | None) -> dict[str, Any]:
    """The fields of ``breakeven/key/1``."""
    return {"key": new.secret, **key_body(new.key), "budget": None if budget is None else budget_body(budget)}


def key_body(key: VirtualKey) -> dict[str, Any]:
    """One key; ``allowed_models`` is empty where every model may be asked for, a null limit is none."""
    cap = key.max_nano_usd_per_request
    return {
        "key_id": key.key_id,
        "tenant": key.tenant,
        "team": key.team,
        "user": key.user,
        "name": key.name,
        "status": status(key, datetime.now(UTC)),
        "allowed_models": sorted(key.allowed_models),
        "max_nano_usd_per_request": cap,
        "max_usd_per_request": None if cap is None else decimal_text(units.usd(cap)),
        "requests_per_minute": key.limits.requests_per_minute,
        "tokens_per_minute": key.limits.tokens_per_minute,
        "parallel_requests": key.limits.parallel_requests,
        "tags": list(key.tags),
        "created_at": _moment(key.created_at),
        "expires_at": _moment(key.expires_at),
        "revoked_at": _moment(key.revoked_at),
    }


def status(key: VirtualKey, at: datetime) -> str:
    """Whether a key may be used: active, expired or revoked."""
    if key.revoked_at is not None:
        return "revoked"
    return "expired" if key.expires_at is not None and key.expires_at <= at else "active"


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="seconds")


def _cells(key: VirtualKey) -> tuple[str, ...]:
    body = key_body(key)
    models = " ".join(body["allowed_models"])
    texts = (key.key_id, key.tenant, key.team, key.user, key.name, models, body["status"], body["created_at"])
    return (*map(text_cell, texts), body["expires_at"] or "")


def _new_key_document(new: NewKey, budget: Budget | None) -> Document:
    limit = "without a budget of its own"
    if budget is not None:
        limit = f"up to {price_text(units.usd(budget.limit_nano_usd))} in each window ({budget.window.text})"
        limit += f", {budget.window.timezone}"
    return Document(
        title=f"Key {new.key.key_id}",
        headline=(new.secret, "This is the only time that the key is shown: the ledger keeps its SHA-256."),
        sections=(Section(title="Holder", sentences=(f"{_holder(new.key)}, {limit}.",)),),
    )


def _holder(key: VirtualKey) -> str:
    named = (("tenant", key.tenant), ("team", key.team), ("user", key.user), ("name", key.name))
    return ", ".join(f"{kind} {name}" for kind, name in named if name)


def _keys_document(keys: Sequence[VirtualKey]) -> Document:
    columns = ("key", "tenant", "team", "user", "name", "models", "status", "created", "expires")
    rows = tuple(Row(cells=tuple(cell.lstrip("'") or "-" for cell in _cells(key))) for key in keys)
    table = Table(
        caption="Keys", columns=tuple(left(column, wraps=column == "models") for column in columns), rows=rows
    )
    return Document(
        title="Keys",
        headline=(f"{len(keys):,} key{'' if len(keys) == 1 else 's'}.",),
        sections=(Section(title="Keys", table=table),) if rows else (),
    )
