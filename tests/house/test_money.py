"""Money is made in ``options``, and from usage in ``catalog/pricing.py``: above them no price is multiplied.

The code is read. Whatever is named as money, or assigned from money, may above ``options`` be added, compared and
printed, but neither multiplied nor divided, except by other money (a ratio). ``test_money_watched.py`` runs it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Final

import pytest

from conftest import REPOSITORY

SOURCE = REPOSITORY / "src/breakeven"
BELOW: Final = {"catalog", "workload", "serving", "options", "policy", "stores", "units.py", "errors.py"}
ABOVE: Final = sorted(path for path in SOURCE.rglob("*.py") if path.relative_to(SOURCE).parts[0] not in BELOW)

CHOOSE_IN_FLOATS: Final = {"plan/purchase_split.py"}
"""Searches: they weigh in floats and hand back numbers of instances, without what exact money is made of."""

WORDS: Final = {"usd", "price", "prices", "cost", "costs"}
NO_MONEY: Final = {"frac", "option", "text"}
KEEPING: Final = {
    "float",
    "Fraction",
    "Decimal",
    "sum",
    "max",
    "min",
    "abs",
    "array",
    "asarray",
    "list",
    "tuple",
    "next",
}
"""Calls that give money where they are given money; so does any method of money."""

MULTIPLYING: Final = {
    "mul",
    "truediv",
    "multiply",
    "divide",
    "dot",
    "matmul",
    "inner",
    "outer",
    "einsum",
    "prod",
    "sumprod",
}
OPERATORS: Final = (ast.Mult, ast.Div, ast.FloorDiv, ast.MatMult)

CARRIERS: Final[dict[type[ast.AST], tuple[str, ...]]] = {
    **dict.fromkeys((ast.Subscript, ast.Starred, ast.NamedExpr), ("value",)),
    **dict.fromkeys((ast.List, ast.Set), ("elts",)),
    **dict.fromkeys((ast.ListComp, ast.SetComp, ast.GeneratorExp), ("elt",)),
    **dict.fromkeys((ast.BoolOp, ast.Dict), ("values",)),
    ast.DictComp: ("value",),
    ast.UnaryOp: ("operand",),
    ast.BinOp: ("left", "right"),
    ast.IfExp: ("body", "orelse"),
    ast.Lambda: ("body",),
}
"""The parts of an expression that make the whole of it money."""


def is_named_money(name: str) -> bool:
    """Amounts and prices: ``usd_per_h``, ``hours_usd``. A share of money (``cost_frac``) is none."""
    words = name.lower().split("_")
    return not WORDS.isdisjoint(words) and NO_MONEY.isdisjoint(words)


class Function:
    """One function, in which money is followed from name to name, whatever the order of the statements."""

    def __init__(self, tree: ast.AST) -> None:
        self.nodes = list(ast.walk(tree))
        self.money_names: set[str] = set()
        known = -1
        while known < len(self.money_names):
            known = len(self.money_names)
            for target, value in chain.from_iterable(map(bindings, self.nodes)):
                if self.is_money(value):
                    self.money_names |= {node.id for node in ast.walk(target) if isinstance(node, ast.Name)}

    def is_money(self, node: ast.AST) -> bool:
        if isinstance(node, ast.Name | ast.Attribute):
            return is_named_money(called(node)) or (isinstance(node, ast.Name) and node.id in self.money_names)
        if isinstance(node, ast.Call):
            of_money = isinstance(node.func, ast.Attribute) and self.is_money(node.func.value)
            kept = called(node.func) in KEEPING and any(map(self.is_money, node.args))
            return self.is_money(node.func) or of_money or kept
        if isinstance(node, ast.Tuple):  # of different things, unless all of them are money
            return bool(node.elts) and all(map(self.is_money, node.elts))
        return not self.is_ratio(node) and any(map(self.is_money, parts(node)))

    def is_ratio(self, node: ast.AST) -> bool:
        divides = isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div | ast.FloorDiv)
        return divides and all(map(self.is_money, parts(node)))

    def faults(self) -> Iterator[int]:
        """The lines on which money is multiplied or divided."""
        for node in self.nodes:
            operands: Sequence[ast.AST]
            match node:
                case ast.BinOp(op=op) if isinstance(op, OPERATORS) and not self.is_ratio(node):
                    operands = parts(node)
                case ast.AugAssign(target=target, op=op, value=value) if isinstance(op, OPERATORS):
                    operands = [target, value]
                case ast.Call(func=func, args=args) if called(func) in MULTIPLYING:
                    operands = args
                case _:
                    continue
            if any(map(self.is_money, operands)):
                yield node.lineno


def called(node: ast.AST) -> str:
    """The name of a name or of an attribute; empty for any other expression."""
    return getattr(node, "id", "") or getattr(node, "attr", "")


def parts(node: ast.AST) -> list[ast.AST]:
    found = [getattr(node, field) for field in CARRIERS.get(type(node), ())]
    return list(chain.from_iterable(each if isinstance(each, list) else [each] for each in found))


def bindings(node: ast.AST) -> Iterator[tuple[ast.AST, ast.AST]]:
    """What is assigned to what, element by element where both sides say so; a loop's target takes what it runs over."""
    match node:
        case ast.Assign(targets=targets, value=value):
            pairs: list[tuple[ast.AST, ast.AST]] = [(target, value) for target in targets]
        case ast.AnnAssign(target=target, value=ast.expr() as value) | ast.NamedExpr(target=target, value=value):
            pairs = [(target, value)]
        case ast.For(target=target, iter=over) | ast.comprehension(target=target, iter=over):
            pairs = [(target, over)]
        case _:
            return
    for target, value in pairs:
        many = value.args if isinstance(value, ast.Call) and called(value.func) == "zip" else getattr(value, "elts", [])
        if isinstance(target, ast.Tuple) and len(many) == len(target.elts):
            yield from zip(target.elts, many, strict=True)
        else:
            yield target, value


def faults(path: Path, source: str) -> Iterator[str]:
    """Every place that multiplies or divides money, as ``path:line``."""
    tree = ast.parse(source)
    outermost = [
        node for parent in ast.walk(tree) if isinstance(parent, ast.Module | ast.ClassDef) for node in parent.body
    ]
    lines = chain.from_iterable(Function(node).faults() for node in outermost if not isinstance(node, ast.ClassDef))
    yield from (f"{path}:{line}" for line in sorted(set(lines)))


@pytest.mark.parametrize("module", ABOVE, ids=lambda path: path.relative_to(SOURCE).as_posix())
def test_no_price_is_multiplied_above_options(module: Path) -> None:
    if module.relative_to(SOURCE).as_posix() not in CHOOSE_IN_FLOATS:
        found = list(faults(module.relative_to(REPOSITORY), module.read_text(encoding="utf-8")))
        assert found == [], "ask options/ for the amount (instance_hours, replica_price, spilled_requests, a curve)"


@pytest.mark.parametrize("name", sorted(CHOOSE_IN_FLOATS))
def test_a_search_that_chooses_in_floats_has_nothing_to_print_money_with(name: str) -> None:
    imported = {
        alias.name if isinstance(node, ast.Import) else f"{node.module}.{alias.name}"
        for node in ast.walk(ast.parse((SOURCE / name).read_text(encoding="utf-8")))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    exact = ("decimal", "fractions", "breakeven.units", "breakeven.catalog", "breakeven.options", "breakeven.render")
    assert [each for each in imported if each.startswith(exact)] == []


@pytest.mark.parametrize("module", ABOVE, ids=lambda path: path.relative_to(SOURCE).as_posix())
def test_no_line_of_a_statement_is_made_above_options(module: Path) -> None:
    calls = [node for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
    assert [node.lineno for node in calls if called(node.func) == "CostLine"] == []


@pytest.mark.parametrize(
    "statement",
    [
        "return price.usd_per_h * hours",
        "return hours * float(price.usd_per_h)",
        "return Fraction(price.usd_per_h) / held",
        "bill = max(price.low_usd_per_h, price.usd_per_h)\n    return bill * hours",
        "hourly = {p.option: p.usd_per_h for p in sold}\n    return hourly['spot'] * hours",
        "return sum(each * n for each, n in zip([p.usd_per_h for p in sold], counts))",
        "for k, (each, n) in sold:\n        total_usd *= n",
        "return np.dot(np.array([p.usd_per_h for p in sold]), counts)",
        "return (lambda: hours_usd(price, 1))() and hours_usd(price, 1) * 730",
        "return (spot.usd_per_h - other.usd_per_h) * 730",
        "return options.spilled.usd(1) * requests",
    ],
)
def test_the_law_bites(statement: str) -> None:
    source = f"def f(price, spot, other, sold, hours, held, counts, requests, total_usd):\n    {statement}\n"
    assert len(list(faults(Path("m.py"), source))) == 1


@pytest.mark.parametrize(
    "statement",
    [
        "return spot.usd_per_h / on_demand.usd_per_h",
        "return hours_usd(price, instances * 730 / hours)",
        "return high.usd_per_month - low.usd_per_month",
        "return outcome.cost_frac * hours",
        "return price.option * 2",
        "return costs.peak_load_frac / burst_frac",
    ],
)
def test_what_is_no_price_may_be_multiplied(statement: str) -> None:
    assert list(faults(Path("m.py"), f"def f():\n    {statement}\n")) == []
