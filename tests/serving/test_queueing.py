"""Loads that meet a wait, against Erlang's tables and what sharing a queue must do."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from breakeven.serving.queueing import POOLED_SERVERS, erlang_c, sustainable_load


@pytest.mark.parametrize(
    ("servers", "load", "waiting"),
    # M/M/1 waits with probability load; the others from Erlang C by its closed form with factorials.
    [(1, 0.3, 0.3), (2, 1.0, 1 / 3), (3, 2.0, 4 / 9), (5, 4.0, 0.5541)],
)
def test_erlang_c_equals_its_closed_form(servers: int, load: float, waiting: float) -> None:
    loads = np.full((1, servers), load / 10)
    loads[0, -1] = load
    assert erlang_c(loads)[0, -1] == pytest.approx(waiting, abs=1e-4)


def test_without_any_wait_allowed_one_server_may_be_busy_only_as_often_as_requests_may_be_late() -> None:
    assert sustainable_load(np.array([0.0]), 95)[0, 0] == pytest.approx(0.05, abs=1e-6)


@given(st.floats(0, 50), st.floats(50, 99.9))
def test_more_servers_or_patience_carry_more_each_and_never_more_than_they_are(wait: float, percentile: float) -> None:
    load = sustainable_load(np.array([wait, wait * 2]), round(percentile))
    each = load / np.arange(1, POOLED_SERVERS + 1)
    assert (np.diff(each, axis=1) >= -1e-9).all()
    assert (load[1] >= load[0]).all()
    assert (each < 1).all()
