"""Workloads that the options are priced for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from breakeven.workload.workload import Requirements, Workload


@pytest.fixture
def chat() -> Workload:
    """10,000 requests a day of 800 input and 400 output tokens, evenly over the day: the article's example."""
    return Workload(
        name="chat",
        requests_per_day=10_000,
        input_tokens=np.full(10, 800, dtype=np.int64),
        output_tokens=np.full(10, 400, dtype=np.int64),
        hourly_shape=(1 / 24,) * 24,
        requirements=Requirements(min_quality="basic"),
    )


@pytest.fixture
def at_volume(chat: Workload) -> Callable[[int], Workload]:
    """The same workload at another volume."""
    return lambda requests_per_day: replace(chat, requests_per_day=requests_per_day)
