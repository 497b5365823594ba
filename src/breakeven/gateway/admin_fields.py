"""Fields of the admin API's input: their types are also its published schema."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from breakeven import units
from breakeven.ledger.budgets import budget_id
from breakeven.policy.budget import Budget, OnExceed
from breakeven.policy.scope import Scope
from breakeven.policy.window import parse_window

LETTERS: Final = 200
"""The longest name of a tenant, team, user, model or key."""

ONE_LINE: Final = r"^[^\x00-\x1f\x7f]*(?!\n)$"
"""No control letters, also no newline at the end (which ``$`` alone lets through in Python)."""

Text = Annotated[str, Meta(max_length=LETTERS, pattern=ONE_LINE)]
Name = Annotated[str, Meta(min_length=1, max_length=LETTERS, pattern=ONE_LINE)]
Tag = Annotated[
    str,
    Meta(max_length=256, pattern=r"^[^=,\x00-\x1f\x7f]+=[^,\x00-\x1f\x7f]+(?!\n)$", description="KEY=VALUE"),
]
Count = Annotated[int, Meta(ge=1, le=10**12)]
Usd = Annotated[
    str,
    Meta(pattern=r"^[0-9]{1,9}(\.[0-9]{1,9})?(?!\n)$", description="US dollars as decimal text, to the nano-dollar."),
]
WindowText = Annotated[
    str, Meta(pattern=r"^(day|week|month|total|[1-9][0-9]{0,3}d)(?!\n)$", description="At most 3660 days.")
]
ScopeText = Annotated[
    str,
    Meta(
        max_length=300,
        pattern=r"^((tenant|team|user|key|model):[^\x00-\x1f\x7f]+|tag:[^=,\x00-\x1f\x7f]+=[^,\x00-\x1f\x7f]+)(?!\n)$",
        description="KIND:NAME, such as user:alice or tag:project=atlas.",
    ),
]
AlertFrac = Annotated[float, Meta(gt=0, le=1)]
Page = Annotated[int, Meta(ge=1, le=1_000)]


class BudgetTerms(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How much, in which window, and what happens beyond it."""

    usd: Usd
    window: WindowText = "month"
    timezone: Text = "UTC"
    on_exceed: OnExceed = "refuse"
    alert_frac: AlertFrac = 0.8

    def budget(self, scope: Scope) -> Budget:
        """The budget that a scope has by these terms.

        Raises:
            InputError: no such time zone, or too many days.
        """
        window = parse_window(self.window, self.timezone)
        return Budget(
            budget_id=budget_id(scope, window),
            scope=scope,
            limit_nano_usd=nano_usd(self.usd),
            window=window,
            on_exceed=self.on_exceed,
            alert_frac=self.alert_frac,
        )


def nano_usd(text: str) -> int:
    """Nano-dollars of decimal text that has the form of `Usd`."""
    return units.nano_usd(Decimal(text))
