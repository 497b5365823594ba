"""The planner run with prices that know which room computes with them, which no name can hide."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import fields
from decimal import Decimal
from pathlib import Path
from types import FrameType
from typing import Any, Final

import pytest

from breakeven.catalog.offers import PurchasePrice
from breakeven.cli.main import run
from breakeven.options.replica_price import ReplicaPrice
from breakeven.options.statement import CostLine
from conftest import REPOSITORY

SOURCE = REPOSITORY / "src/breakeven"
ABOVE: Final = {"plan", "render", "cli", "api.py"}
CHAT = str(REPOSITORY / "examples/chat.toml")
AT: Final = ("--at", "2026-11-24")


def room_of_caller() -> str:
    """The room of the nearest frame that is ours: the standard library may stand between."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        if (path := Path(frame.f_code.co_filename)).is_relative_to(SOURCE):
            return path.relative_to(SOURCE).parts[0]
        frame = frame.f_back
    return ""


class WatchedUsd(Decimal):
    """A price that may above ``options`` be compared and printed, and in ``plan`` not even made a float."""

    def _product(self, name: str, other: Any) -> Any:
        if room_of_caller() in ABOVE and not isinstance(other, WatchedUsd):
            raise AssertionError("a price is multiplied above options")
        return getattr(Decimal, name)(self, other)

    def __mul__(self, other: Any) -> Any:
        return self._product("__mul__", other)

    def __rmul__(self, other: Any) -> Any:
        return self._product("__rmul__", other)

    def __truediv__(self, other: Any) -> Any:
        return self._product("__truediv__", other)

    def __floordiv__(self, other: Any) -> Any:
        return self._product("__floordiv__", other)

    def as_integer_ratio(self) -> tuple[int, int]:
        """What ``Fraction`` asks for."""
        if room_of_caller() in ABOVE:
            raise AssertionError("a price is taken apart above options")
        return super().as_integer_ratio()

    def __float__(self) -> float:
        if room_of_caller() == "plan":
            raise AssertionError("a price is made a float in plan")
        return super().__float__()


def watch(cls: type, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have every new object of a class hold watched amounts."""
    made: Callable[..., None] = vars(cls)["__init__"]
    amounts = [field.name for field in fields(cls) if "usd" in field.name.split("_")]

    def watched(self: object, **given: Any) -> None:
        made(self, **{name: WatchedUsd(value) if name in amounts else value for name, value in given.items()})

    monkeypatch.setattr(cls, "__init__", watched)


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Watched prices, in a folder with a fleet file."""
    for cls in (PurchasePrice, CostLine, ReplicaPrice):
        watch(cls, monkeypatch)
    fleet = tmp_path / "fleet.toml"
    fleet.write_text(
        '[fleet]\nmodel = "Llama-3.1-8B"\ngpu = "H100"\nprecision = "fp8"\n[autoscaling]\npolicy = "queue"\n'
        'max_replicas = 2\n[cost]\noffer = "aws/p5.48xlarge@us-east-1"\n'
    )
    return fleet


@pytest.mark.parametrize("output", ["json", "html"])
@pytest.mark.parametrize(
    "arguments",
    [
        ("fleet", CHAT, "--model", "Gemma-4-31B", "--requests-per-day", "400_000", "--allow-spot", *AT),
        ("plan", CHAT, "--candidates", "Llama-3.1-8B,api,gpu", "--min-quality", "basic", "--replay", *AT),
        ("simulate", CHAT, "--fleet", "FLEET"),
        ("interactivity", "Llama-3.1-8B", "--gpu", "H100"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_every_dollar_is_made_in_options(
    watched: Path, arguments: tuple[str, ...], output: str, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [str(watched) if each == "FLEET" else each for each in arguments]
    assert (run([*given, "--format", output]), capsys.readouterr().err) == (0, "")


@pytest.mark.parametrize("room", ["plan/new.py", "api.py"])
@pytest.mark.parametrize("expression", ["2 * usd", "usd / 2", "usd * usd_of_else", "Fraction(usd)"])
def test_the_watch_bites(room: str, expression: str) -> None:
    names = {"usd": WatchedUsd(3), "usd_of_else": Decimal(2)}
    code = compile(f"from fractions import Fraction\nfound = {expression}", str(SOURCE / room), "exec")
    with pytest.raises(AssertionError, match="above options"):
        exec(code, names)
    below = compile(f"from fractions import Fraction\nfound = {expression}", str(SOURCE / "options/new.py"), "exec")
    exec(below, names)
