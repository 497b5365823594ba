"""JSON as scripts read it: a schema name first, money as decimal text, one shape for each value."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

SCHEMA_NAMES = (
    "plan",
    "diff",
    "curve",
    "fleet",
    "explain",
    "price",
    "prices",
    "price-check",
    "price-update",
    "capacity",
    "calibrate",
    "interactivity",
    "simulate",
    "replay",
    "key",
    "keys",
    "budgets",
    "totals",
    "entries",
    "backup",
    "prune",
    "audit",
    "cache-stats",
    "cache-flush",
    "semantic-check",
)
"""Values with a published JSON schema, each as ``breakeven/<name>/1``."""


def schema_id(name: str, version: int = 1) -> str:
    """The ``schema`` value of a document."""
    return f"breakeven/{name}/{version}"


def render(name: str, body: dict[str, Any]) -> str:
    """``body`` under its schema name, indented, in UTF-8, ending in a newline.

    Raises:
        ValueError: a number is NaN or infinite, which JSON cannot say.
    """
    document = {"schema": schema_id(name), **body}
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def published_schema(name: str, version: int = 1) -> dict[str, Any]:
    """The published JSON schema (draft 2020-12) of ``breakeven/<name>/<version>``."""
    text = resources.files("breakeven.render").joinpath("schemas", f"{name}-{version}.json").read_text("utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema
