"""Fixtures that every room's tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of public reference data; tests that need it skip where it is missing."""
    shared = Path(os.environ.get("BREAKEVEN_SHARED", REPOSITORY.parent / "shared"))
    if not (shared / "data").is_dir():
        pytest.skip(f"reference data not found at {shared} (set BREAKEVEN_SHARED)")
    return shared / "data"
