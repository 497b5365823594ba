"""Dependencies are few, each has its reason on record, may be used by anybody, and starts nothing by itself."""

from __future__ import annotations

import re
from importlib.metadata import Distribution

import pytest
from packaging.licenses import canonicalize_license_expression
from packaging.requirements import Requirement

from conftest import REPOSITORY
from house.runtime import PROJECT, applies, direct, runtime

DECISION = REPOSITORY / "docs/decisions/0011-gateway-dependencies.md"
MOST_DIRECT, MOST_IN_ALL = 10, 24
"""A change that needs more has to change this line, and to say why in the decision."""

PERMISSIVE = {"0BSD", "APACHE-2.0", "BSD-2-CLAUSE", "BSD-3-CLAUSE", "CC0-1.0", "ISC", "MIT", "PSF-2.0", "ZLIB"}
WRITTEN_OTHERWISE = {
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD-3-Clause",
    "MIT License": "MIT",
}
"""Classifiers and older license fields, as SPDX identifiers."""

INSTALLED = runtime()


def licenses(package: Distribution) -> set[str]:
    """The SPDX identifiers of a package's metadata; the expression first, then its older forms."""
    told = package.metadata["License-Expression"]
    if told is None:
        classifiers = package.metadata.get_all("Classifier") or []
        named = [each.rpartition(" :: ")[2] for each in classifiers if each.startswith("License :: OSI Approved :: ")]
        stated = [WRITTEN_OTHERWISE[each] for each in named] or [package.metadata["License"] or "none stated"]
        told = " AND ".join(stated)
    expression = canonicalize_license_expression(told)
    return set(re.split(r"\s+(?:AND|OR)\s+|[()]", expression.upper())) - {""}


@pytest.mark.parametrize("name", sorted(INSTALLED))
def test_every_package_that_runs_is_under_a_permissive_licence(name: str) -> None:
    assert licenses(INSTALLED[name]) <= PERMISSIVE


def test_dependencies_are_few() -> None:
    assert len(direct()) <= MOST_DIRECT
    assert len(INSTALLED) <= MOST_IN_ALL


def test_each_has_its_reason_in_the_decision_and_nothing_else_does() -> None:
    page = DECISION.read_text(encoding="utf-8")
    _, _, table = page.partition("## Direct")
    direct_rows, _, brought = table.partition("## Brought along")
    assert set(re.findall(r"^\| `([\w-]+)` \|", direct_rows, re.MULTILINE)) == direct()
    recorded = set(re.findall(r"`([\w-]+)`", brought.partition("\n## ")[0]))
    assert recorded == INSTALLED.keys() - direct()


@pytest.mark.parametrize("name", sorted(INSTALLED))
def test_none_runs_code_whenever_python_starts(name: str) -> None:
    assert [str(file) for file in INSTALLED[name].files or [] if file.suffix == ".pth"] == []


def test_every_optional_part_stays_optional() -> None:
    """What runs without an extra must not bring one of the packages that an extra is for."""
    for part, wanted in PROJECT["optional-dependencies"].items():
        names = {Requirement(each).name for each in wanted if applies(Requirement(each), frozenset())}
        assert names & INSTALLED.keys() == set(), part
