"""The scripts behind ``make``: which Python they take, and what they say when there is none."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from conftest import REPOSITORY

FIND_PYTHON = REPOSITORY / "scripts/find-python.sh"
ENOUGH_FOR_SH = ("/usr/bin", "/bin")


def find_python(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the search with ``folder`` before the system's own programs."""
    path = os.pathsep.join([str(folder), *ENOUGH_FOR_SH])
    return subprocess.run([FIND_PYTHON], env={"PATH": path, **environment}, capture_output=True, text=True, check=False)


def program(folder: Path, name: str, body: str) -> Path:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


def stand_in_python(folder: Path, name: str, *, venv: str = "exit 0") -> Path:
    """A program that passes as a new Python; ``venv`` answers whether it can make virtual environments."""
    return program(folder, name, f'case "$2" in *ensurepip*) {venv};; *print*) echo python3.12-venv;; esac')


def test_the_newest_python_wins(tmp_path: Path) -> None:
    for name in ("python3.11", "python3.12", "python3.13"):
        stand_in_python(tmp_path, name)
    assert find_python(tmp_path).stdout == "python3.13\n"


def test_a_python_that_does_not_start_is_passed_over(tmp_path: Path) -> None:
    program(tmp_path, "python3.13", "exit 127")
    stand_in_python(tmp_path, "python3.12")
    assert find_python(tmp_path).stdout == "python3.12\n"


def test_the_users_own_choice_wins(tmp_path: Path) -> None:
    stand_in_python(tmp_path, "python3.13")
    mine = stand_in_python(tmp_path, "my-python")
    assert find_python(tmp_path, PYTHON=str(mine)).stdout == f"{mine}\n"


def test_without_a_new_python_the_error_can_be_acted_on(tmp_path: Path) -> None:
    old = program(tmp_path, "old", "exit 1")
    result = find_python(tmp_path, PYTHON=str(old))
    assert result.returncode == 2
    assert [line.partition(":")[0] for line in result.stderr.splitlines()] == ["error", "cause", "hint"]
    assert "3.11" in result.stderr


def test_without_venv_a_plain_user_is_told_which_package(tmp_path: Path) -> None:
    mine = stand_in_python(tmp_path, "mine", venv="exit 1")
    program(tmp_path, "id", "echo 1000")
    result = find_python(tmp_path, PYTHON=str(mine))
    assert result.returncode == 2
    assert "hint: sudo apt-get install python3.12-venv" in result.stderr


def test_without_venv_root_gets_the_package_installed(tmp_path: Path) -> None:
    installed = tmp_path / "installed"
    mine = stand_in_python(tmp_path, "mine", venv=f'test -e "{installed}"; exit $?')
    program(tmp_path, "id", "echo 0")
    program(tmp_path, "apt-get", f'case "$*" in *python3.12-venv*) touch "{installed}";; esac')
    result = find_python(tmp_path, PYTHON=str(mine))
    assert result.returncode == 0
    assert result.stdout == f"{mine}\n"
