"""``breakeven serve`` stops when it is told to: nothing is left over, nothing is lost, and it says so by its exit."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

from breakeven.ledger import keys
from breakeven.ledger.journal import segment_paths
from breakeven.ledger.ledger_file import opened
from breakeven.ledger.totals import TotalsQuery, totals

COMMAND = [sys.executable, "-m", "breakeven", "serve", "--port", "0", "--upstream", "echo", "--log-format", "json"]


def test_sigterm_ends_it_cleanly(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.db"
    new = keys.new_key("acme", user="alice")
    with opened(ledger, create=True) as connection:
        keys.create(connection, new)
    serve = subprocess.Popen(
        [*COMMAND, "--ledger", str(ledger)], cwd=tmp_path, stderr=subprocess.PIPE, text=True, env=os.environ
    )
    assert serve.stderr is not None
    url = serve.stderr.readline().split()[3]
    body = json.dumps({"model": "echo", "messages": [{"role": "user", "content": "canary"}]}).encode()
    ask = urllib.request.Request(
        f"{url}/chat/completions", body, {"authorization": f"Bearer {new.secret}", "content-type": "application/json"}
    )
    with urllib.request.urlopen(ask, timeout=20) as answer:
        request_id = answer.headers["x-breakeven-request-id"]
    serve.send_signal(signal.SIGTERM)
    logged = serve.communicate(timeout=30)[1]
    assert serve.returncode == 0, logged
    (line,) = logged.splitlines()
    assert json.loads(line)["request_id"] == request_id
    assert new.secret not in logged
    assert "canary" not in logged
    assert segment_paths(ledger) == []
    with opened(ledger) as connection:
        (total,) = totals(connection, TotalsQuery())
    assert total.requests == 1
