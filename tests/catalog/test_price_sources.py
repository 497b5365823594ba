"""Two price sources held against each other, stale rows, and an update from a publisher that may be down or broken."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from breakeven.catalog import genai_source, overlay, price_check, price_store, price_update
from breakeven.catalog.hosted import find_card, forget, hosted_cards
from breakeven.errors import CatalogError, Unavailable

DAY = date(2026, 11, 24)


@pytest.fixture
def stored_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A place for the stored price list of its own, and the compiled prices forgotten before and after."""
    place = tmp_path / "cache" / "price_list.json"
    monkeypatch.setenv(price_store.PATH_VARIABLE, str(place))
    forget()
    yield place
    monkeypatch.undo()
    forget()


class Publisher:
    """A server on this machine that answers every question with one body and status."""

    def __init__(self, body: bytes, status: int = 200) -> None:
        class Answer(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(status)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: object) -> None:
                """Say nothing."""

        self._server = HTTPServer(("127.0.0.1", 0), Answer)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> str:
        self._thread.start()
        return f"http://127.0.0.1:{self._server.server_port}/prices.json"

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def price_list(models: int, input_usd: float) -> bytes:
    listed = [
        {"id": f"gpt-{n}", "match": {"equals": f"gpt-{n}"}, "prices": {"input_mtok": input_usd, "output_mtok": 10}}
        for n in range(models)
    ]
    provider = {"id": "openai", "name": "OpenAI", "api_pattern": "x", "model_match": {"starts_with": "gpt-"}}
    return json.dumps([provider | {"models": listed}]).encode()


def test_both_sources_agree_on_most_prices_and_the_known_trap_is_found() -> None:
    report = price_check.check(DAY)
    assert report.compared > 90
    assert report.agreed / report.compared > 0.85
    found = {(item.model, item.kind): item.ratio for item in report.disagreements}
    assert found["mistral-large-latest", "input"] == Decimal("4.000")
    assert "google/gemini-2.5-flash (flex)" in report.unmatched
    assert report.compared + len(report.unmatched) == len(overlay.cards())


def test_a_disagreement_has_both_prices_with_source_and_date() -> None:
    for item in price_check.check(DAY).disagreements:
        assert item.ours.usd_per_mtok != item.other.usd_per_mtok
        assert item.ours.source != item.other.source
        assert item.ours.checked_on <= DAY >= item.other.checked_on


def test_a_price_by_the_hour_agrees_if_one_hour_does() -> None:
    models = {item.model for item in price_check.check(DAY).disagreements}
    assert "deepseek-flash" not in models
    assert len([card for card in hosted_cards(DAY) if card.model == "deepseek-flash"]) == 2


def test_rows_go_stale_half_a_year_after_they_were_checked() -> None:
    checked_on = genai_source.checked_on()
    last_fresh = checked_on + timedelta(days=price_check.STALE_AFTER_DAYS)
    hosted = "hosted prices", genai_source.source()
    assert hosted not in {(stale.table, stale.source) for stale in price_check.stale_rows(last_fresh)}
    stale = {(row.table, row.source): row for row in price_check.stale_rows(last_fresh + timedelta(days=1))}
    assert stale[hosted].age_days == price_check.STALE_AFTER_DAYS + 1
    assert stale[hosted].rows == len(genai_source.all_cards())


def test_the_second_source_is_small_dated_and_adds_only_what_is_missing() -> None:
    assert len(overlay.cards()) <= 150
    first = {(c.provider, c.model, c.processing) for c in genai_source.all_cards()}
    assert overlay.missing_cards()
    for card in overlay.missing_cards():
        assert (card.provider, card.model, card.processing) not in first
        assert card.valid_from == card.checked_on
        assert card.tiers[0].above_input_tokens == 0


def test_an_update_is_kept_and_prices_from_then_on(stored_list: Path) -> None:
    before = find_card("gpt-4o", at=DAY)
    models = sum(len(provider.models) for provider in genai_source.providers().values())
    with Publisher(price_list(models, input_usd=7)) as url:
        report = price_update.update(url)
    assert report.path == stored_list
    assert (report.models_before, report.models_after) == (models, models)
    changed = {change.label: change for change in report.changes}
    assert changed["openai/gpt-4o"].before == before
    assert changed["openai/gpt-4o"].after is None
    card = find_card("gpt-7", at=DAY)
    assert card.tiers[0].input_usd_per_mtok == Decimal(7)
    assert card.source.endswith("(updated)")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 200),
        (b"not json", 200),
        (b"{}", 200),
        (b"[]", 200),
        (price_list(3, 7), 200),
        (b'[{"id": 1}]', 200),
        (b"[]", 503),
    ],
)
def test_a_broken_answer_changes_nothing(stored_list: Path, body: bytes, status: int) -> None:
    before = find_card("gpt-4o", at=DAY)
    with Publisher(body, status) as url, pytest.raises(Unavailable) as caught:
        price_update.update(url)
    assert caught.value.exit_code == 3
    assert caught.value.hint
    assert not stored_list.exists()
    assert find_card("gpt-4o", at=DAY) == before


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/prices.json", "http://no-such-host.invalid/", "nonsense"])
def test_without_a_network_the_update_is_unavailable(stored_list: Path, url: str) -> None:
    with pytest.raises(Unavailable) as caught:
        price_update.update(url)
    assert caught.value.cause


def test_a_stored_list_that_is_broken_is_an_error_that_says_what_to_remove(stored_list: Path) -> None:
    stored_list.parent.mkdir(parents=True)
    stored_list.write_text("[1]", "utf-8")
    with pytest.raises(CatalogError) as caught:
        find_card("gpt-4o", at=DAY)
    assert str(stored_list) in (caught.value.hint or "")
