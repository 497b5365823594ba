"""Fixtures that every room's tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# How fast a machine is says nothing about the code; where CI is set, hypothesis has its own such profile.
settings.register_profile("house", deadline=None, suppress_health_check=[HealthCheck.too_slow])
if "CI" not in os.environ:
    settings.load_profile("house")

# Prices as they are installed, whatever `breakeven catalog update` has stored on this machine.
os.environ["BREAKEVEN_PRICE_LIST"] = os.devnull

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of public reference data; tests that need it skip where it is missing."""
    shared = Path(os.environ.get("BREAKEVEN_SHARED", REPOSITORY.parent / "shared"))
    if not (shared / "data").is_dir():
        pytest.skip(f"reference data not found at {shared} (set BREAKEVEN_SHARED)")
    return shared / "data"
