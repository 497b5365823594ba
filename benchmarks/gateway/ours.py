"""Our gateway as it is used: a key, budgets at three scopes, the ledger on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec
from questions import Target
from servers import Command, Seat

BUDGET_USD = "1000000"
TENANT = "bench"
LEDGER = "ledger.db"


class Ours:
    """``breakeven serve`` of this checkout."""

    name = "breakeven"

    def reason_missing(self) -> str:
        """It is always here."""
        return ""

    def install(self) -> None:
        """Nothing to do."""

    def version(self) -> str:
        """Of the package."""
        return breakeven(Path(), "--version").split()[-1]

    def command(self, seat: Seat) -> Command:
        """Make the key and its budgets, then serve."""
        ledger = ("--ledger", LEDGER)
        made = breakeven(
            *(seat.folder, "key", "create", "--tenant", TENANT, "--user", "alice", "--team", "core"),
            *("--budget-usd", BUDGET_USD, "--format", "json", *ledger),
        )
        (seat.folder / "key.json").write_text(made)
        for scope in ("user:alice", "team:core"):
            breakeven(seat.folder, "budget", "set", scope, "--tenant", TENANT, "--usd", BUDGET_USD, *ledger)
        serve = ("serve", "--port", str(seat.port), *ledger, "--upstream", f"mock={seat.upstream}")
        return Command(argv=(sys.executable, "-m", "breakeven", *serve, "--log-level", "warning"))

    def target(self, seat: Seat) -> Target:
        """As any OpenAI client asks."""
        return Target(url=seat.url, key=msgspec.json.decode((seat.folder / "key.json").read_bytes())["key"])


def ledger_rows(seat: Seat) -> int:
    """Requests in the ledger of a gateway, which may be serving."""
    totals = msgspec.json.decode(breakeven(seat.folder, "ledger", "totals", "--format", "json", "--ledger", LEDGER))
    return sum(row["requests"] for row in totals["rows"])


def breakeven(folder: Path, *arguments: str) -> str:
    """What a command prints.

    Raises:
        CalledProcessError: it failed.
    """
    call = (sys.executable, "-m", "breakeven", *arguments)
    return subprocess.run(call, cwd=folder, stdout=subprocess.PIPE, text=True, check=True).stdout
