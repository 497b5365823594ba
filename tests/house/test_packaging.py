"""What is installed: locks that pin everything and name nobody, a wheel that is whole, and a light front door."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from conftest import REPOSITORY

LOCKS = [REPOSITORY / "requirements" / name for name in ("run.txt", "dev.txt")]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
HEAVY = {"numpy", "genai_prices", "pydantic", "vl_convert", "pyarrow", "jinja2"}


def pinned(lock: Path) -> dict[str, str]:
    """The packages of a lock, each with its requirement line and hashes."""
    text = re.sub(r"^\s*#.*\n", "", lock.read_text(encoding="utf-8"), flags=re.MULTILINE)
    entries = re.split(r"\n(?=\S)", text.replace("\\\n", "").strip())
    return {re.split(r"[=\s]", entry, maxsplit=1)[0]: entry for entry in entries}


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[<>=\[; ]", requirement, maxsplit=1)[0] for requirement in requirements}


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_every_locked_package_has_a_version_and_a_hash(lock: Path) -> None:
    for name, entry in pinned(lock).items():
        assert re.match(rf"{re.escape(name)}==[\w.]+\s", entry), entry
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), entry


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_a_lock_names_no_registry_and_no_machine(lock: Path) -> None:
    text = lock.read_text(encoding="utf-8")
    assert "://" not in text
    assert "--index" not in text
    assert "--find-links" not in text
    assert not re.search(r"(^|\s)/\w", text)


def test_the_run_lock_holds_the_project_and_its_build_backend() -> None:
    needed = names(PROJECT["project"]["dependencies"] + PROJECT["build-system"]["requires"]) | {"editables"}
    assert needed <= pinned(LOCKS[0]).keys()


def test_the_two_locks_agree() -> None:
    run, dev = (re.findall(r"^[\w.-]+==[\w.]+", lock.read_text(encoding="utf-8"), re.MULTILINE) for lock in LOCKS)
    assert set(run) <= set(dev)


def test_the_optional_parts_are_in_the_lock_that_tests_use() -> None:
    # aiconfigurator runs on one platform only and brings 300 MB; its tests stand another program in for it.
    parts = PROJECT["project"]["optional-dependencies"]
    for requirements in (parts[name] for name in parts.keys() - {"aiconfigurator"}):
        assert names(requirements) <= pinned(LOCKS[1]).keys()


def test_the_wheel_carries_the_catalogue_and_the_licence(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    subprocess.run(build, cwd=REPOSITORY, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    packed = set(zipfile.ZipFile(wheel).namelist())
    source = REPOSITORY / "src"
    kept = {str(path.relative_to(source)) for path in source.rglob("*") if path.is_file()}
    kept = {path for path in kept if "__pycache__" not in path}
    assert kept - packed == set()
    assert any(path.endswith("licenses/LICENSE") for path in packed)


def test_the_front_door_loads_nothing_heavy() -> None:
    code = f"import sys, breakeven.cli.main; print(*sorted({HEAVY} & sys.modules.keys()))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.split() == []


def test_asking_for_help_loads_nothing_heavy() -> None:
    code = (
        "import sys\nfrom breakeven.cli.main import main\n"
        "sys.argv = ['breakeven', '--help']\n"
        f"try:\n    main()\nexcept SystemExit:\n    pass\nprint('loaded:', *sorted({HEAVY} & sys.modules.keys()))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1].split() == ["loaded:"]


def test_a_gateway_that_has_priced_a_request_has_loaded_neither_numpy_nor_charts() -> None:
    code = (
        "import sys\nfrom datetime import UTC, datetime\n"
        "import breakeven.cli.first_key, breakeven.cli.serve, breakeven.gateway.serving\n"
        "from breakeven.catalog.negotiated import PriceConfig\n"
        "from breakeven.gateway.config import upstream_of_argument\n"
        "from breakeven.gateway.price_lookup import price_lookup\n"
        "price_lookup(upstream_of_argument('echo'), 'echo', PriceConfig())(datetime.now(UTC), 'standard')\n"
        "print('loaded:', *sorted({'numpy', 'vl_convert', 'pyarrow', 'jinja2'} & sys.modules.keys()))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["loaded:"]
