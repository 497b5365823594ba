"""What runs beside the project: its dependencies and theirs, as they are installed, without optional parts."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import Distribution, distribution

from packaging.requirements import Requirement

from conftest import REPOSITORY

PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def direct() -> set[str]:
    """The packages that pyproject.toml names."""
    return {canonical(Requirement(each).name) for each in PROJECT["dependencies"]}


def runtime() -> dict[str, Distribution]:
    """Every package that an installation brings on this system, by its name."""
    found: dict[str, Distribution] = {}
    unread = [Requirement(each) for each in PROJECT["dependencies"]]
    while unread:
        wanted = unread.pop()
        name = canonical(wanted.name)
        if name in found or not applies(wanted, frozenset()):
            continue
        found[name] = distribution(name)
        needs = [Requirement(each) for each in found[name].requires or []]
        unread += [each for each in needs if applies(each, frozenset(wanted.extras))]
    return found


def applies(requirement: Requirement, extras: frozenset[str]) -> bool:
    """Whether a requirement holds on this system, for these optional parts of who has it."""
    marker = requirement.marker
    return marker is None or any(marker.evaluate({"extra": extra}) for extra in {*extras, ""})
