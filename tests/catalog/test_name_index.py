"""One name leads to one thing."""

from __future__ import annotations

import pytest

from breakeven.catalog.name_index import NameIndex
from breakeven.errors import CatalogError


def test_two_things_cannot_share_a_name() -> None:
    with pytest.raises(CatalogError, match="names both 'A-100' and 'B'"):
        NameIndex("thing", ["A-100", "B"], {"a 100": "B"})


def test_an_alias_stands_for_something() -> None:
    with pytest.raises(CatalogError, match="stands for the unknown thing 'C'"):
        NameIndex("thing", ["A"], {"see": "C"})


def test_nearest_names_come_without_repeats() -> None:
    index = NameIndex("thing", ["H100", "H200", "A10"], {"H100-80GB": "H100", "HGX H100": "H100"})
    assert index.nearest("H10", count=1) == ["H100"]
    assert len(set(index.nearest("H10"))) == len(index.nearest("H10")) == 3
