"""The first key of a ledger, so that a gateway that was just started can be tried with what it prints."""

from __future__ import annotations

import getpass
import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from breakeven.ledger.keys import NewKey

TENANT: Final = "local"
USD_PER_DAY: Final = Decimal(10)
"""What the first key may spend: enough to try any model, and no more than a mistake may cost."""


def first_key(ledger: Path) -> NewKey | None:
    """A key with a budget of `USD_PER_DAY`, where the ledger has none that may be used; None where it has one.

    Raises:
        Unavailable: the ledger cannot be written.
    """
    from breakeven import units
    from breakeven.ledger import budgets, keys
    from breakeven.ledger.budgets import budget_id
    from breakeven.ledger.ledger_file import opened
    from breakeven.policy.budget import Budget
    from breakeven.policy.scope import Scope
    from breakeven.policy.window import parse_window
    from breakeven.render.keys import status
    from breakeven.stores.sqlite import transaction

    new = keys.new_key(TENANT, user=_user(), name="first key")
    scope, window = Scope(TENANT, "key", new.key.key_id), parse_window("day")
    limit = units.nano_usd(USD_PER_DAY)
    budget = Budget(budget_id=budget_id(scope, window), scope=scope, limit_nano_usd=limit, window=window)
    now = datetime.now(UTC)
    with opened(ledger, create=True) as connection, transaction(connection):
        if any(status(key, now) == "active" for key in keys.listed(connection)):
            return None
        keys.insert(connection, new)
        budgets.put(connection, budget)
    return new


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user may have a number and no name
        return "me"


def how_to_try(url: str, model: str, new: NewKey | None, ledger: Path) -> str:
    """What to copy and run against a gateway at ``url``; the secret of a new key is in it, once."""
    body = json.dumps({"model": model, "messages": [{"role": "user", "content": "Hello!"}]})
    call = (
        f'  curl -si {url}/v1/chat/completions -H "Authorization: Bearer $BREAKEVEN_KEY" \\\n'
        f"    -H 'Content-Type: application/json' -d '{body}'\n"
    )
    if new is None:
        told = "The ledger has a key already (breakeven key create makes another). With it in BREAKEVEN_KEY:\n\n"
    else:
        told = (
            f"A first key, shown this once: tenant {TENANT}, user {new.key.user}, at most ${USD_PER_DAY} a day. "
            "Try it:\n\n"
            f"  export BREAKEVEN_KEY={new.secret}\n"
        )
    return f"{told}{call}  breakeven ledger totals --by user,model --ledger {ledger}\n"
