"""Several deployments of a model, some of which fail: who is asked, how often, after how long, and what it costs."""

from __future__ import annotations

import asyncio
import signal
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import httpx2
import openai
import pytest

from gateway import provider_answers
from gateway.clients import refusal_of
from gateway.live import ADMIN, Live, assert_one_number
from gateway.provider import Asked, Provider, Said, provider

NAMES = ("a", "b", "c")
COST_NANO_USD = 100 * 1_000 + 20 * 2_000
"""Of the usual answer at $1 and $2 a million tokens."""
CHEAP_NANO_USD = 100 * 100 + 20 * 200

ROUTES = {
    "alone": {"targets": ["a"]},
    "pair": {"targets": ["a"], "fallbacks": ["b"]},
    "ladder": {"targets": ["a"], "fallbacks": ["b", "c"]},
    "unreachable-first": {"targets": ["gone"], "fallbacks": ["b"]},
    "unreachable": {"targets": ["gone"]},
    "breaking": {"targets": ["a"], "fallbacks": ["b"]},
    "alike": {"targets": ["a", "b", "c"]},
    "spread": {"targets": ["a", "b", "c"]},
    "limited": {"targets": ["a", "b", "c"]},
    "roomy": {"targets": ["a", "b", "c"]},
    "told-to-wait": {"targets": ["a", "b"]},
    "dear": {"targets": ["a"], "degrade_to": "cheap"},
    "cheap": {"targets": ["cheap"]},
    "moving": {"targets": ["a"]},
}


@dataclass(slots=True, kw_only=True)
class Fleet:
    """A gateway before three providers that answer alike."""

    live: Live
    providers: dict[str, Provider]
    http: httpx2.Client

    def ask(self, model: str, text: str = "Hi", *, system: str = "", key: str = "", **fields: Any) -> httpx2.Response:
        """One chat; the system prompt comes first."""
        messages = [{"role": "system", "content": system}] if system else []
        body = {"model": model, "messages": [*messages, {"role": "user", "content": text}], "max_tokens": 20, **fields}
        headers = {"authorization": f"Bearer {key or self.live.key}"}
        return self.http.post("/v1/chat/completions", json=body, headers=headers)

    def admin(self, method: str, path: str) -> httpx2.Response:
        return self.http.request(method, path, headers={"authorization": f"Bearer {ADMIN}"})

    def attempts(self, answer: httpx2.Response) -> list[tuple[str, str, int]]:
        """Deployment, outcome and cost of every attempt; their sum is what the header said."""
        told = self.admin("GET", f"/admin/requests/{answer.headers['x-breakeven-request-id']}").json()
        rows = [(each["deployment"], each["outcome"], each["nano_usd"]) for each in told["attempts"]]
        if "x-breakeven-cost-nano-usd" in answer.headers:
            assert sum(row[2] for row in rows) == int(answer.headers["x-breakeven-cost-nano-usd"])
        return rows

    def heard(self) -> dict[str, int]:
        return {name: len(each.heard) for name, each in self.providers.items()}

    def breaker(self, upstream: str, model: str) -> str:
        states = self.admin("GET", "/admin/upstreams").json()["upstreams"]
        [found] = [each for each in states if each["name"] == upstream]
        return next(str(each["breaker"]) for each in found["deployments"] if each["model"] == model)


def configuration(urls: dict[str, str], routes: dict[str, dict[str, Any]]) -> str:
    """Every route's model has the route's name at its upstreams too, so that no route's state is another's."""
    lines = ["[gateway]", "retry_within_s = 5.0", "budget_wait_s = 0.0"]
    for name, url in urls.items():
        in_usd, out_usd = ("0.1", "0.2") if name == "cheap" else (1, 2)
        lines += ["[[upstreams]]", f'name = "{name}"', f'url = "{url}"', "first_byte_timeout_s = 0.5"]
        lines += [f"input_usd_per_mtok = {in_usd}", f"output_usd_per_mtok = {out_usd}", "connect_timeout_s = 1.0"]
    for model, route in routes.items():
        lines += ["[[models]]", f'name = "{model}"']
        for kind in ("targets", "fallbacks"):
            lines.append(f"{kind} = [" + ", ".join(f'{{ upstream = "{name}" }}' for name in route.get(kind, ())) + "]")
        if "degrade_to" in route:
            lines.append(f'degrade_to = "{route["degrade_to"]}"')
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with ExitStack() as stack:
        providers = {name: stack.enter_context(provider(provider_answers.openai)) for name in NAMES}
        urls = {name: each.url for name, each in providers.items()}
        urls |= {"cheap": providers["c"].url, "gone": f"http://127.0.0.1:{closed_port()}/v1"}
        live = Live(folder=tmp_path_factory.mktemp("gateway"), config=configuration(urls, ROUTES))
        stack.enter_context(live)
        live.new_key()
        live.start()
        http = stack.enter_context(httpx2.Client(base_url=f"http://127.0.0.1:{live.port}", timeout=20))
        yield Fleet(live=live, providers=providers, http=http)


@pytest.fixture(autouse=True)
def unheard(fleet: Fleet) -> None:
    """Each test counts from nothing and finds providers that answer as usual."""
    for each in fleet.providers.values():
        each.heard.clear()
        each.next.clear()
        each.answering = provider_answers.openai


def closed_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def failing(status: int, **headers: str) -> Said:
    body = b'{"error": {"message": "not now", "type": "server_error", "code": null}}'
    return Said(status=status, body=body, headers={name.replace("_", "-"): value for name, value in headers.items()})


def with_headers(**headers: str) -> Callable[[Asked], Said]:
    """The usual answer, with headers to it."""

    def answering(asked: Asked) -> Said:
        said = provider_answers.openai(asked)
        return Said(body=said.body, headers={name.replace("_", "-"): value for name, value in headers.items()})

    return answering


# -- again ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 529])
@pytest.mark.parametrize("stream", [False, True])
def test_what_was_not_run_is_asked_again(fleet: Fleet, status: int, stream: bool) -> None:
    fleet.providers["a"].next.append(failing(status))
    answer = fleet.ask("alone", stream=stream)
    assert answer.status_code == 200
    assert fleet.attempts(answer) == [("a", "refused_by_upstream", 0), ("a", "ok", COST_NANO_USD)]
    assert ("[DONE]" in answer.text) is stream


@pytest.mark.parametrize(("name", "value"), [("retry_after", "1"), ("retry_after_ms", "1000")])
def test_a_provider_is_left_alone_as_long_as_it_asked(fleet: Fleet, name: str, value: str) -> None:
    fleet.providers["a"].next.append(failing(429, **{name: value}))
    started = time.monotonic()
    assert fleet.ask("alone").status_code == 200
    assert 1.0 <= time.monotonic() - started < 3.0


def test_a_wait_beyond_the_deadline_is_the_clients_to_make(fleet: Fleet) -> None:
    fleet.providers["a"].next.append(failing(429, retry_after="30"))
    answer = fleet.ask("alone")
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "30")
    assert answer.json()["error"]["message"] == "not now"
    assert fleet.heard() == {"a": 1, "b": 0, "c": 0}


@pytest.mark.parametrize("status", [400, 404, 409, 413, 422, 501, 504])
def test_what_another_try_would_not_change_is_not_tried(fleet: Fleet, status: int) -> None:
    fleet.providers["a"].next.append(failing(status))
    assert fleet.ask("pair").status_code == status
    assert fleet.heard() == {"a": 1, "b": 0, "c": 0}


def test_no_more_attempts_than_allowed(fleet: Fleet) -> None:
    fleet.providers["a"].answering = lambda _: failing(500)
    answer = fleet.ask("alone")
    assert (answer.status_code, answer.json()["error"]["message"]) == (500, "not now")
    assert fleet.heard() == {"a": 3, "b": 0, "c": 0}
    assert fleet.attempts(answer) == [("a", "refused_by_upstream", 0)] * 3


def test_a_request_that_was_sent_and_timed_out_is_not_paid_for_twice(fleet: Fleet) -> None:
    fleet.providers["a"].next.append(Said(hangs=True))
    answer = fleet.ask("pair")
    assert (answer.status_code, answer.json()["error"]["code"]) == (504, "upstream_timeout")
    assert fleet.heard() == {"a": 1, "b": 0, "c": 0}
    [(deployment, outcome, cost_nano_usd)] = fleet.attempts(answer)
    assert (deployment, outcome) == ("a", "timeout")
    assert cost_nano_usd > 0, "it may be billed, so it costs an estimate"


# -- elsewhere --------------------------------------------------------------------------------------------------------


def test_what_cannot_be_reached_is_passed_over(fleet: Fleet) -> None:
    answer = fleet.ask("unreachable-first")
    assert answer.status_code == 200
    assert fleet.attempts(answer) == [("gone", "failed", 0), ("b", "ok", COST_NANO_USD)]
    assert answer.headers["x-breakeven-decision"] == "unreachable-first@b; fallback"


def test_nothing_reachable_is_a_server_error_of_the_official_client(fleet: Fleet) -> None:
    url = f"http://127.0.0.1:{fleet.live.port}/v1"
    client = openai.OpenAI(base_url=url, api_key=fleet.live.key, max_retries=0)
    messages: Any = [{"role": "user", "content": "Hi"}]
    error = refusal_of(
        openai.InternalServerError, lambda: client.chat.completions.create(model="unreachable", messages=messages)
    )
    assert (error.status_code, error.code) == (502, "upstream_unreachable")


def test_fallbacks_are_asked_in_their_order_and_at_once(fleet: Fleet) -> None:
    fleet.providers["a"].next.append(failing(429, retry_after="3"))
    fleet.providers["b"].next.append(failing(503))
    started = time.monotonic()
    answer = fleet.ask("ladder")
    assert time.monotonic() - started < 2.0, "no wait helps another deployment"
    assert [name for name, _, _ in fleet.attempts(answer)] == ["a", "b", "c"]
    assert answer.headers["x-breakeven-decision"] == "ladder@c; fallback"
    assert fleet.heard() == {"a": 1, "b": 1, "c": 1}


def test_a_breaker_opens_and_after_a_trial_closes(fleet: Fleet) -> None:
    ill = fleet.providers["a"]
    ill.answering = lambda _: failing(500)
    for _ in range(12):
        assert fleet.ask("breaking").status_code == 200
    assert fleet.breaker("a", "breaking") == "open"
    assert len(ill.heard) == 10, "ten failures open it"
    opened = time.monotonic()
    answers = [fleet.ask("breaking") for _ in range(5)]
    assert [each.headers["x-breakeven-decision"] for each in answers] == ["breaking@b; fallback"] * 5
    assert len(ill.heard) == 10, "an open breaker was sent to"
    ill.answering = provider_answers.openai
    time.sleep(max(5.2 - (time.monotonic() - opened), 0))
    assert fleet.breaker("a", "breaking") == "half_open"
    assert fleet.ask("breaking").headers["x-breakeven-decision"] == "breaking@a; requested"
    assert fleet.breaker("a", "breaking") == "closed"
    fleet.ask("breaking")
    assert len(ill.heard) == 12


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


@pytest.mark.parametrize("what", ["requests", "tokens"])
def test_a_deployment_that_has_nothing_left_is_spared_until_its_reset(fleet: Fleet, what: str) -> None:
    """Only its own deployments' prefixes move, and they come back."""
    system = f"You know all about {what}. " * 100
    home = place(fleet.ask("limited", system=system))
    said = {f"x_ratelimit_remaining_{what}": "0", f"x_ratelimit_limit_{what}": "1000"}
    fleet.providers[home].answering = with_headers(**said, **{f"x_ratelimit_reset_{what}": "2s"})
    assert place(fleet.ask("limited", system=system)) == home, "it has not said so yet"
    said_at = time.monotonic()
    away = Counter(place(fleet.ask("limited", f"{number}", system=system)) for number in range(5))
    assert home not in away
    assert len(away) == 1, "those that move stay together"
    fleet.providers[home].answering = provider_answers.openai
    time.sleep(max(2.2 - (time.monotonic() - said_at), 0))
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
    assert places == {"a": 5, "b": 5, "c": 50}


def test_a_deployment_that_asked_to_be_left_alone_is_left_alone(fleet: Fleet) -> None:
    system = "You are patient. " * 100
    home = place(fleet.ask("told-to-wait", system=system))
    fleet.providers[home].next.append(failing(429, retry_after="60"))
    assert place(fleet.ask("told-to-wait", system=system)) != home
    asked = len(fleet.providers[home].heard)
    assert all(place(fleet.ask("told-to-wait", system=system)) != home for _ in range(3))
    assert len(fleet.providers[home].heard) == asked


def place(answer: httpx2.Response) -> str:
    assert answer.status_code == 200, answer.text
    return str(answer.headers["x-breakeven-decision"].partition("@")[2][0])


# -- a budget ---------------------------------------------------------------------------------------------------------


def test_a_budget_degrades_to_the_cheaper_model_and_then_refuses(fleet: Fleet) -> None:
    usual = fleet.live.key
    poor = fleet.live.new_key("poor", "--budget-usd", "0.0005", "--window", "day", "--on-exceed", "degrade")
    fleet.live.key = usual
    answers = [fleet.ask("dear", "Hi " * 40, key=poor) for _ in range(40)]
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
    assert sum(int(each.headers["x-breakeven-cost-nano-usd"]) for each in answers) <= 500_000
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
            file.write_text(former.replace("first_byte_timeout_s = 0.5", "first_byte_timeout_s = 0.6"))
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
