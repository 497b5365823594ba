"""Several deployments of a model: who is asked, by prefix, room, weight, budget, and by a new configuration."""

from __future__ import annotations

import asyncio
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from gateway import provider_answers
from gateway.fleet import CHEAP_NANO_USD, COST_NANO_USD, Fleet, failing, fleet_of, place, with_headers
from gateway.live import assert_one_number
from gateway.provider import Asked, Said

ROUTES = {
    "alone": {"targets": ["a"]},
    "alike": {"targets": ["a", "b", "c"]},
    "spread": {"targets": ["a", "b", "c"]},
    "short": {"targets": ["a", "b", "c"]},
    "limited": {"targets": ["a", "b", "c"]},
    "roomy": {"targets": ["a", "b", "c"]},
    "told-to-wait": {"targets": ["a", "b"]},
    "dear": {"targets": ["a"], "degrade_to": "cheap"},
    "cheap": {"targets": ["cheap"]},
    "weighted": {"targets": ["a", "b"]},
    "moving": {"targets": ["a"]},
}


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with fleet_of(tmp_path_factory.mktemp("gateway"), ROUTES) as found:
        yield found


@pytest.fixture(autouse=True)
def unheard(fleet: Fleet) -> None:
    fleet.forget()


# -- which ------------------------------------------------------------------------------------------------------------


def test_equal_prefixes_stay_on_one_deployment(fleet: Fleet) -> None:
    """The provider has them cached, and reads them for a tenth of the price."""
    system = "You know this handbook by heart. " * 60
    answers = [fleet.ask("alike", f"Question {number}?", system=system) for number in range(12)]
    assert len({each.headers["x-breakeven-decision"] for each in answers}) == 1
    assert answers[0].headers["x-breakeven-decision"].endswith("; affinity")
    assert sorted(fleet.heard().values()) == [0, 0, 12]


def test_other_prefixes_spread(fleet: Fleet) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: fleet.ask("spread", system=f"Handbook {number} " * 100), range(60)))
    assert sum(fleet.heard().values()) == 60
    assert min(fleet.heard().values()) >= 8


def test_what_no_provider_would_cache_is_dealt_out_by_room_though_it_begins_alike(fleet: Fleet) -> None:
    for name, left in (("a", "10"), ("b", "900"), ("c", "900")):
        fleet.providers[name].answering = with_headers(
            x_ratelimit_limit_requests="1000", x_ratelimit_remaining_requests=left, x_ratelimit_reset_requests="60s"
        )
    answers = [fleet.ask("short") for _ in range(60)]
    assert {each.headers["x-breakeven-decision"].partition("; ")[2] for each in answers} == {"balanced"}
    assert fleet.heard()["a"] < 12, "only until all have said what they have left"
    assert min(fleet.heard()["b"], fleet.heard()["c"]) > 12


@pytest.mark.parametrize("what", ["requests", "tokens"])
def test_a_deployment_that_has_nothing_left_is_spared_until_its_reset(fleet: Fleet, what: str) -> None:
    """Only its own deployments' prefixes move, and they come back."""
    system = f"You know all about {what}. " * 100
    home = place(fleet.ask("limited", system=system))
    said = {f"x_ratelimit_remaining_{what}": "0", f"x_ratelimit_limit_{what}": "1000"}
    fleet.providers[home].answering = with_headers(**said, **{f"x_ratelimit_reset_{what}": "3s"})
    assert place(fleet.ask("limited", system=system)) == home, "it has not said so yet"
    said_at = time.monotonic()
    away = Counter(place(fleet.ask("limited", f"{number}", system=system)) for number in range(5))
    assert home not in away
    assert len(away) == 1, "those that move stay together"
    fleet.providers[home].answering = provider_answers.openai
    time.sleep(max(3.2 - (time.monotonic() - said_at), 0))
    assert place(fleet.ask("limited", system=system)) == home


def test_load_goes_where_there_is_room_and_nobody_is_told_to_wait(fleet: Fleet) -> None:
    """Two deployments allow five requests a minute, the third any number: none of them has to refuse one."""
    refused = []

    def allowing(most: int) -> Callable[[Asked], Said]:
        left = iter(range(most - 1, -1, -1))

        def answering(asked: Asked) -> Said:
            if (remaining := next(left, None)) is None:
                refused.append(asked)
                return failing(429, retry_after="60")
            return with_headers(
                x_ratelimit_limit_requests=str(most),
                x_ratelimit_remaining_requests=str(remaining),
                x_ratelimit_reset_requests="60s",
            )(asked)

        return answering

    for name, most in (("a", 5), ("b", 5), ("c", 1_000)):
        fleet.providers[name].answering = allowing(most)
    places = Counter(place(fleet.ask("roomy", f"Question {number}?")) for number in range(60))
    assert refused == []
    assert max(places["a"], places["b"]) <= 5
    assert sum(places.values()) == 60


def test_a_deployment_that_asked_to_be_left_alone_is_left_alone(fleet: Fleet) -> None:
    system = "You are patient. " * 100
    home = place(fleet.ask("told-to-wait", system=system))
    fleet.providers[home].next.append(failing(429, retry_after="60"))
    assert place(fleet.ask("told-to-wait", system=system)) != home
    asked = len(fleet.providers[home].heard)
    assert all(place(fleet.ask("told-to-wait", system=system)) != home for _ in range(3))
    assert len(fleet.providers[home].heard) == asked


# -- a budget ---------------------------------------------------------------------------------------------------------


def test_a_budget_degrades_to_the_cheaper_model_and_then_refuses(fleet: Fleet) -> None:
    usual = fleet.live.key
    poor = fleet.live.new_key("poor", "--budget-usd", "0.0011", "--window", "day", "--on-exceed", "degrade")
    fleet.live.key = usual
    answers = [fleet.ask("dear", "Hi " * 40, key=poor) for _ in range(80)]
    decisions = [each.headers.get("x-breakeven-decision") for each in answers]
    assert decisions[0] == "dear@a; requested"
    degraded = [
        each for each in answers if each.headers.get("x-breakeven-decision") == "cheap@cheap; degraded requested"
    ]
    assert len(degraded) > 3
    assert {int(each.headers["x-breakeven-cost-nano-usd"]) for each in degraded} == {CHEAP_NANO_USD}
    assert degraded[0].json()["model"] == "cheap"
    assert answers[-1].status_code == 429
    assert answers[-1].json()["error"]["code"] == "insufficient_quota"
    assert sum(int(each.headers["x-breakeven-cost-nano-usd"]) for each in answers) <= 1_100_000
    assert [each.status_code for each in answers] == sorted(each.status_code for each in answers)


# -- a new configuration ----------------------------------------------------------------------------------------------


def test_a_new_configuration_moves_a_route_and_a_wrong_one_changes_nothing(fleet: Fleet) -> None:
    file = fleet.live.folder / "breakeven.toml"
    former = file.read_text()
    moved = former.replace(
        'name = "moving"\ntargets = [{ upstream = "a" }]', 'name = "moving"\ntargets = [{ upstream = "b" }]'
    )
    assert moved != former
    try:
        assert place(fleet.ask("moving")) == "a"
        for wrong in (
            moved + "[[models]]\n",
            moved.replace('upstream = "b"', 'upstream = "z"'),
            "[gateway",
            moved + "\0",
        ):
            file.write_text(wrong)
            refused = fleet.admin("POST", "/admin/reload")
            assert refused.status_code == 422, wrong
            assert refused.json()["error"]["message"]
            assert place(fleet.ask("moving")) == "a"
        file.write_text(moved)
        assert fleet.admin("POST", "/admin/reload").status_code == 200
        assert place(fleet.ask("moving")) == "b"
        file.write_text(former)
        fleet.live.signal(signal.SIGHUP)
        until = time.monotonic() + 5
        while place(fleet.ask("moving")) != "a":
            assert time.monotonic() < until, "SIGHUP did nothing"
            time.sleep(0.05)
    finally:
        file.write_text(former)
        fleet.admin("POST", "/admin/reload")


def test_a_new_configuration_has_new_weights_secrets_and_says_what_must_wait(fleet: Fleet) -> None:
    file = fleet.live.folder / "breakeven.toml"
    former = file.read_text()
    plain = 'name = "weighted"\ntargets = [{ upstream = "a" }, { upstream = "b" }]'
    secret = fleet.live.folder / "secret.txt"
    url = f'url = "{fleet.providers["a"].url}"'
    assert former.count(plain) == former.count(url) == 1
    try:
        for first, second in ((0, 1), (1, 0), (0, 1)):
            weights = plain.replace('"a"', f'"a", weight = {first}').replace('"b"', f'"b", weight = {second}')
            file.write_text(former.replace(plain, weights).replace(url, f'{url}\napi_key_file = "secret.txt"'))
            secret.write_text(f"sk-number-{first}")
            assert fleet.admin("POST", "/admin/reload").status_code == 200
            places = {place(fleet.ask("weighted", f"Question {number}?")) for number in range(8)}
            assert places == ({"a"} if first else {"b"})
            fleet.ask("alone")
            assert fleet.providers["a"].heard[-1].headers["authorization"] == f"Bearer sk-number-{first}"
        assert "take effect when" not in fleet.live.log
        file.write_text(former.replace("[gateway]", "[gateway]\nmax_header_bytes = 9000"))
        assert fleet.admin("POST", "/admin/reload").status_code == 200
        assert "max_header_bytes: take effect when the gateway is started again" in fleet.live.log
    finally:
        file.write_text(former)
        fleet.admin("POST", "/admin/reload")
    assert "sk-number" not in fleet.live.log


def test_a_stream_under_way_is_not_cut_by_a_new_configuration(fleet: Fleet) -> None:
    """Not even where its upstream is changed, whose connections are other ones from then on."""
    file = fleet.live.folder / "breakeven.toml"
    former = file.read_text()
    chunks = provider_answers.chat_chunks({"model": "moving", "stream_options": {"include_usage": True}})
    pieces = provider_answers.events(chunks, done=True).pieces
    fleet.providers["a"].next.append(Said(pieces=pieces, gap_s=0.1))
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(fleet.ask, "moving", stream=True)
        try:
            time.sleep(0.25)
            file.write_text(former.replace("first_byte_timeout_s = 2.0", "first_byte_timeout_s = 2.1"))
            assert fleet.admin("POST", "/admin/reload").status_code == 200
            assert place(fleet.ask("moving")) == "a"
            answer = slow.result(10)
        finally:
            file.write_text(former)
            fleet.admin("POST", "/admin/reload")
    assert "data: [DONE]" in answer.text
    assert fleet.attempts(answer) == [("a", "ok", COST_NANO_USD)]
    assert f": breakeven cost_nano_usd={COST_NANO_USD}" in answer.text


def test_after_all_of_it_every_number_is_the_same(fleet: Fleet) -> None:
    """Whatever was tried again, refused, degraded or estimated: nothing is held, and the ledger is what was counted."""
    fleet.live.budget("tenant:acme", 10**12)
    assert fleet.ask("alone").status_code == 200
    assert asyncio.run(assert_one_number(fleet.live)) > 0
