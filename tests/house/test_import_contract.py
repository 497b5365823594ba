"""Imports point down only, and the contract that says so bites."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import grimp
import pytest

from conftest import REPOSITORY


def lint_imports(root: Path) -> subprocess.CompletedProcess[str]:
    """Run import-linter in a folder that has ``pyproject.toml`` and ``src/breakeven``."""
    return subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root / "src"), "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A copy of the project's modules and contract, to break."""
    shutil.copy(REPOSITORY / "pyproject.toml", tmp_path)
    shutil.copytree(
        REPOSITORY / "src/breakeven",
        tmp_path / "src/breakeven",
        ignore=lambda _, names: [name for name in names if name in {"data", "__pycache__"}],
    )
    return tmp_path


def test_the_contract_is_kept(house: Path) -> None:
    result = lint_imports(house)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "1 kept, 0 broken" in result.stdout


@pytest.mark.parametrize(
    ("module", "statement"),
    [
        ("units.py", "import breakeven.plan.plan"),  # far up
        ("catalog/usage.py", "from breakeven.workload import workload"),  # one storey up
        ("errors.py", "import breakeven.units"),  # a sibling
        ("serving/__init__.py", "def late() -> None:\n    import breakeven.options.option"),  # hidden in a function
    ],
)
def test_an_import_that_does_not_point_down_is_caught(house: Path, module: str, statement: str) -> None:
    with (house / "src/breakeven" / module).open("a") as file:
        file.write(f"\n\n{statement}\n")
    result = lint_imports(house)
    assert result.returncode == 1
    assert "0 kept, 1 broken" in result.stdout


def test_a_room_that_no_storey_declares_is_caught(house: Path) -> None:
    room = house / "src/breakeven/utils"
    room.mkdir()
    (room / "__init__.py").touch()
    result = lint_imports(house)
    assert result.returncode == 1
    assert "breakeven.utils" in result.stdout


def test_a_room_without_init_is_caught_by_the_linter(house: Path) -> None:
    """import-linter overlooks such a folder, so ruff's INP001 has to see it."""
    room = house / "src/breakeven/utils"
    room.mkdir()
    (room / "helpers.py").write_text('"""Hidden."""\n')
    ruff = subprocess.run(
        [Path(sys.executable).with_name("ruff"), "check", "--no-cache", "src"],
        cwd=house,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ruff.returncode == 1
    assert "INP001" in ruff.stdout


def test_no_module_imports_itself_in_a_circle() -> None:
    """Within a room too, and imports inside functions count."""
    graph = grimp.build_graph("breakeven", cache_dir=None)
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    assert list(TopologicalSorter(imports).static_order())  # raises CycleError, which names the circle
