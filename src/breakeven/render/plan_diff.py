"""What changed between two saved plans: the chosen option's lines, the other options, the assumptions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Literal

from breakeven.render.money import price_text, quantity_text
from breakeven.render.saved_plan import SavedLine, SavedOption, SavedPlan

ChangeKind = Literal["added", "removed", "changed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AmountChange:
    """A monthly amount before and after; None where it was not there. ``reason`` names quantity or price."""

    label: str
    before_usd_per_month: Decimal | None
    after_usd_per_month: Decimal | None
    reason: str = ""

    @property
    def kind(self) -> ChangeKind:
        """Added, removed, or changed."""
        if self.before_usd_per_month is None:
            return "added"
        return "removed" if self.after_usd_per_month is None else "changed"

    @property
    def change_usd_per_month(self) -> Decimal:
        """After minus before; what was not there counts as nothing."""
        return (self.after_usd_per_month or Decimal(0)) - (self.before_usd_per_month or Decimal(0))

    @property
    def change_frac(self) -> Fraction | None:
        """The change over what was there before; None where there was nothing."""
        if not self.before_usd_per_month:
            return None
        return Fraction(self.change_usd_per_month) / Fraction(self.before_usd_per_month)


@dataclass(frozen=True, slots=True, kw_only=True)
class FactChange:
    """An assumption's value before and after; None where it was not there."""

    name: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """The largest increase of the chosen option's cost that passes; None: no limit of that sort."""

    max_increase_usd: Decimal | None = None
    max_increase_frac: Decimal | None = None

    def exceeded_by(self, total: AmountChange) -> bool:
        """Whether the increase is past either limit; an increase from nothing is past every fraction."""
        increase = total.change_usd_per_month
        if self.max_increase_usd is not None and increase > self.max_increase_usd:
            return True
        if self.max_increase_frac is None or increase <= 0:
            return False
        return total.change_frac is None or total.change_frac > Fraction(self.max_increase_frac)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanDiff:
    """Two plans side by side. ``total`` is the chosen option's cost; only what differs is listed."""

    before: SavedPlan
    after: SavedPlan
    total: AmountChange
    lines: tuple[AmountChange, ...]
    options: tuple[AmountChange, ...]
    assumptions: tuple[FactChange, ...]
    threshold: Threshold

    @property
    def exceeded(self) -> bool:
        """Whether the total's increase is past the threshold."""
        return self.threshold.exceeded_by(self.total)


def diff_plans(before: SavedPlan, after: SavedPlan, threshold: Threshold | None = None) -> PlanDiff:
    """Compare two plans; lines are matched by label, so a bill stays comparable when the choice changes."""
    return PlanDiff(
        before=before,
        after=after,
        total=AmountChange(
            label=after.chosen.label,
            before_usd_per_month=before.chosen.usd_per_month,
            after_usd_per_month=after.chosen.usd_per_month,
        ),
        lines=tuple(_line_changes(before.chosen.lines, after.chosen.lines)),
        options=tuple(_option_changes(before.options, after.options)),
        assumptions=tuple(_fact_changes(before.assumptions, after.assumptions)),
        threshold=threshold or Threshold(),
    )


def _line_changes(before: Iterable[SavedLine], after: Iterable[SavedLine]) -> Iterator[AmountChange]:
    old, new = _by_label(before), _by_label(after)
    for key in dict.fromkeys([*old, *new]):
        was, now = old.get(key), new.get(key)
        if was != now:
            yield AmountChange(
                label=key[0],
                before_usd_per_month=None if was is None else was.usd_per_month,
                after_usd_per_month=None if now is None else now.usd_per_month,
                reason="" if was is None or now is None else _reason(was, now),
            )


def _by_label(lines: Iterable[SavedLine]) -> dict[tuple[str, int], SavedLine]:
    """Lines by label; a repeated label is told apart by how often it came before."""
    found: dict[tuple[str, int], SavedLine] = {}
    for line in lines:
        occurrence = sum(label == line.label for label, _ in found)
        found[line.label, occurrence] = line
    return found


def _reason(was: SavedLine, now: SavedLine) -> str:
    parts = []
    if was.quantity != now.quantity or was.unit != now.unit:
        old_unit = "" if was.unit == now.unit else f" {was.unit}"
        before, after = _told_apart(was.quantity, now.quantity)
        parts.append(f"quantity {before}{old_unit} -> {after} {now.unit}")
    if was.usd_per_unit != now.usd_per_unit:
        parts.append(f"unit price {price_text(was.usd_per_unit)} -> {price_text(now.usd_per_unit)}")
    return "; ".join(parts)


def _told_apart(before: Decimal, after: Decimal) -> tuple[str, str]:
    """Two quantities with two decimals, or with all of them where two do not tell them apart."""
    short = quantity_text(round(before, 2)), quantity_text(round(after, 2))
    return (quantity_text(before), quantity_text(after)) if short[0] == short[1] else short


def _option_changes(before: Iterable[SavedOption], after: Iterable[SavedOption]) -> Iterator[AmountChange]:
    old = {option.label: option.usd_per_month for option in before}
    new = {option.label: option.usd_per_month for option in after}
    for label in dict.fromkeys([*old, *new]):
        if old.get(label) != new.get(label):
            yield AmountChange(label=label, before_usd_per_month=old.get(label), after_usd_per_month=new.get(label))


def _fact_changes(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[FactChange]:
    for name in dict.fromkeys([*before, *after]):
        if before.get(name) != after.get(name):
            yield FactChange(name=name, before=before.get(name), after=after.get(name))
