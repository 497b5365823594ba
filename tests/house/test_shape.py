"""The bars that keep the code readable: small modules, small functions, everything named public explained and typed."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import REPOSITORY

MODULE_LINES = 400
FUNCTION_LINES = 60
PARAMETERS = 7

SOURCE = REPOSITORY / "src"
MODULES = sorted(SOURCE.rglob("*.py"))

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def faults(path: Path, source: str) -> Iterator[str]:
    """Every place where a module breaks a bar, as ``path:line: what``."""
    tree = ast.parse(source)
    if (lines := len(source.splitlines())) > MODULE_LINES:
        yield f"{path}:1: {lines} lines"
    if not ast.get_docstring(tree):
        yield f"{path}:1: no docstring"
    yield from faults_below(path, tree, public=True)


def faults_below(path: Path, parent: ast.AST, *, public: bool) -> Iterator[str]:
    for node in ast.iter_child_nodes(parent):
        if isinstance(node, (*FUNCTIONS, ast.ClassDef)):
            shown = public and not node.name.startswith("_")
            if shown and not ast.get_docstring(node) and not is_overload(node):
                yield f"{path}:{node.lineno}: {node.name} has no docstring"
            if isinstance(node, FUNCTIONS):
                yield from function_faults(path, node)
            yield from faults_below(path, node, public=shown and isinstance(node, ast.ClassDef))
        else:
            yield from faults_below(path, node, public=public)


def function_faults(path: Path, function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[str]:
    where = f"{path}:{function.lineno}: {function.name}"
    if (lines := (function.end_lineno or function.lineno) - function.lineno + 1) > FUNCTION_LINES:
        yield f"{where} has {lines} lines"
    given = function.args
    names = [a.arg for a in given.posonlyargs + given.args + given.kwonlyargs if a.arg not in {"self", "cls"}]
    if len(names) > PARAMETERS and not is_command(function):
        yield f"{where} has {len(names)} parameters"
    if function.returns is None:
        yield f"{where} does not say what it returns"


def is_command(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """A click command takes one parameter for each of its options; click, not a caller, fills them in."""
    return any(".command" in ast.unparse(decorator) for decorator in function.decorator_list)


def is_overload(node: ast.AST) -> bool:
    return any("overload" in ast.unparse(decorator) for decorator in getattr(node, "decorator_list", ()))


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_module_stays_below_the_bars(module: Path) -> None:
    assert list(faults(module.relative_to(REPOSITORY), module.read_text(encoding="utf-8"))) == []


def test_the_bars_bite() -> None:
    source = "\n".join(
        [
            "def wide(a, b, c, d, e, f, g, h):",
            "    def inner(): pass",
            "class Thing:",
            "    '''Documented.'''",
            "    def method(self) -> None: pass",
            "    def _hidden(self) -> None: pass",
            "def long() -> None:",
            "    '''Documented.'''",
            *["    x = 1"] * MODULE_LINES,
        ]
    )
    found = list(faults(Path("m.py"), source))
    assert found == [
        f"m.py:1: {MODULE_LINES + 8} lines",
        "m.py:1: no docstring",
        "m.py:1: wide has no docstring",
        "m.py:1: wide has 8 parameters",
        "m.py:1: wide does not say what it returns",
        "m.py:2: inner does not say what it returns",
        "m.py:5: method has no docstring",
        f"m.py:7: long has {MODULE_LINES + 2} lines",
    ]
