"""One line an attempt, of few fields; and nowhere a prompt, an answer, a body, a key or a credential."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from pathlib import Path
from typing import Any

import pytest

from breakeven.gateway.logs import EntryLog, JsonFormatter, LogFormat
from gateway.serving import ADMIN, Served, breaks, gives, says, serving, tables_for
from ledger.ledgers import AT_NS, entry


def written(log_format: LogFormat, *entries: Any) -> str:
    stream = io.StringIO()

    async def run() -> None:
        log = EntryLog(stream, log_format)
        for each in entries:
            log.observe(each)
        assert stream.getvalue() == ""
        await asyncio.sleep(0.2)

    asyncio.run(run())
    return stream.getvalue()


def test_a_json_line_has_what_happened() -> None:
    (line,) = written("json", entry("req_1", 1234, started_at_ns=AT_NS + 5_000_000)).splitlines()
    assert json.loads(line) == {
        "time": "2026-09-21T14:13:20.005Z",
        "level": "info",
        "event": "attempt",
        "request_id": "req_1",
        "attempt": 1,
        "tenant": "acme",
        "model": "gpt-4o-mini",
        "deployment": "openai",
        "operation": "chat",
        "outcome": "ok",
        "served_from": "upstream",
        "status": 200,
        "input_tokens": 10,
        "output_tokens": 5,
        "cost_nano_usd": 1234,
        "duration_s": 0.5,
        "ttft_s": 0.1,
    }


def test_a_text_line_is_one_line_whatever_a_tenant_is_called() -> None:
    text = written("text", entry("req_1", 1234, tenant="acme\n2026 ERROR forged"), entry("req_2", 1))
    assert len(text.splitlines()) == 2
    assert "req_1 attempt 1" in text
    assert "cost_nano_usd 1234 in 0.500 s" in text


def test_messages_are_json_lines_too() -> None:
    record = logging.LogRecord("breakeven", logging.ERROR, __file__, 1, 'a "message"\nof two lines', (), None)
    line = JsonFormatter().format(record)
    assert "\n" not in line
    assert json.loads(line)["message"] == 'a "message"\nof two lines'


def test_a_log_that_cannot_be_written_stops_nothing() -> None:
    stream = io.StringIO()
    stream.close()
    log = EntryLog(stream, "json")
    log._entries.append(entry("req_1"))
    log.flush()


PROMPT, ANSWER, BODY = "canary-prompt-51e1", "canary-answer-7c07", "canary-body-0b5a"


async def everything_that_is_shown(served: Served) -> str:
    """Make requests that succeed, are refused and fail, and read every page."""
    fake = served.upstreams["fake"]
    fake.answering = says(ANSWER)
    request_id = (await served.chat(PROMPT)).headers["x-breakeven-request-id"]
    await served.chat(PROMPT, stream=True)
    for answering in (gives(500, BODY.encode()), gives(200, BODY.encode()), gives(401, BODY.encode()), breaks()):
        fake.answering = answering
        await served.chat(PROMPT)
    shown = [await served.chat(PROMPT, key="sk-be-canary-wrong-key")]
    shown.append(await served.ask("POST", "/v1/chat/completions", PROMPT.encode(), key=served.key))
    shown.append(await served.chat(PROMPT, max_tokens="many"))
    shown.append(await served.chat(PROMPT, model="gpt-unknown"))
    pages = ("/healthz", "/readyz", "/metrics", "/nowhere", f"/admin/{served.key}")
    shown += [await served.ask("GET", path, headers={"x-api-key": served.key}) for path in pages]
    pages = ("keys", f"keys/{served.key_id}", "budgets", f"requests/{request_id}", "totals?by=key,user", "upstreams")
    shown += [await served.admin("GET", f"/admin/{path}") for path in (*pages, "openapi.json")]
    shown.append(await served.admin("POST", "/admin/reload"))
    shown.append(await served.admin("POST", "/admin/keys", {"tenant": "acme", "extra": 1}))
    return "".join(f"{each.headers}{each.body.decode()}" for each in shown)


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_nothing_secret_is_shown_anywhere(
    tmp_path: Path,
    log_format: LogFormat,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    stream = io.StringIO()

    async def run() -> tuple[str, str]:
        async with serving(tmp_path, tables=tables_for()) as served:
            log = EntryLog(stream, log_format)
            served.ledger.observers.append(log.observe)
            shown = await everything_that_is_shown(served)
            await served.ledger.flush()
            log.flush()
            return shown, served.key

    shown, key = asyncio.run(run())
    logged = stream.getvalue() + caplog.text + "".join(capfd.readouterr())
    assert len(stream.getvalue().splitlines()) >= 6
    for canary in (PROMPT, ANSWER, BODY, key, ADMIN, "canary"):
        assert canary not in logged
    for canary in (ANSWER, BODY, key, ADMIN, "sk-be-canary-wrong-key"):
        assert canary not in shown
    on_disk = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    for canary in (PROMPT, ANSWER, BODY, key, ADMIN):
        assert canary.encode() not in on_disk
