"""A gateway's process before three providers that answer alike until they are told otherwise.

with fleet_of(folder, {"pair": {"targets": ["a"], "fallbacks": ["b"]}}) as fleet:
    fleet.providers["a"].next.append(failing(500))
    assert place(fleet.ask("pair")) == "b"
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from gateway import provider_answers
from gateway.live import ADMIN, Live
from gateway.provider import Asked, Provider, Said, provider

NAMES = ("a", "b", "c")
COST_NANO_USD = 100 * 1_000 + 20 * 2_000
"""Of the usual answer at $1 and $2 a million tokens."""
CHEAP_NANO_USD = 100 * 100 + 20 * 200


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

    def forget(self) -> None:
        """Providers answer as usual, and have heard nothing."""
        for each in self.providers.values():
            each.heard.clear()
            each.next.clear()
            each.answering = provider_answers.openai

    def breaker(self, upstream: str, model: str) -> str:
        states = self.admin("GET", "/admin/upstreams").json()["upstreams"]
        [found] = [each for each in states if each["name"] == upstream]
        return next(str(each["breaker"]) for each in found["deployments"] if each["model"] == model)


def configuration(urls: dict[str, str], routes: dict[str, dict[str, Any]]) -> str:
    """Every route's model has the route's name at its upstreams too, so that no route's state is another's."""
    lines = ["[gateway]", "retry_within_s = 5.0", "budget_wait_s = 0.0"]
    for name, url in urls.items():
        in_usd, out_usd = ("0.1", "0.2") if name == "cheap" else (1, 2)
        lines += ["[[upstreams]]", f'name = "{name}"', f'url = "{url}"', "first_byte_timeout_s = 2.0"]
        lines += [f"input_usd_per_mtok = {in_usd}", f"output_usd_per_mtok = {out_usd}", "connect_timeout_s = 1.0"]
    for model, route in routes.items():
        lines += ["[[models]]", f'name = "{model}"']
        for kind in ("targets", "fallbacks"):
            lines.append(f"{kind} = [" + ", ".join(f'{{ upstream = "{name}" }}' for name in route.get(kind, ())) + "]")
        if "degrade_to" in route:
            lines.append(f'degrade_to = "{route["degrade_to"]}"')
    return "\n".join(lines) + "\n"


@contextmanager
def fleet_of(folder: Path, routes: dict[str, dict[str, Any]]) -> Iterator[Fleet]:
    """A gateway with these routes. The upstream ``cheap`` costs a tenth, and nothing listens at ``gone``."""
    with ExitStack() as stack:
        providers = {name: stack.enter_context(provider(provider_answers.openai)) for name in NAMES}
        urls = {name: each.url for name, each in providers.items()}
        urls |= {"cheap": providers["c"].url, "gone": f"http://127.0.0.1:{closed_port()}/v1"}
        live = Live(folder=folder, config=configuration(urls, routes))
        stack.enter_context(live)
        live.new_key()
        live.start()
        http = stack.enter_context(httpx2.Client(base_url=f"http://127.0.0.1:{live.port}", timeout=20))
        yield Fleet(live=live, providers=providers, http=http)


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


def place(answer: httpx2.Response) -> str:
    assert answer.status_code == 200, answer.text
    return str(answer.headers["x-breakeven-decision"].partition("@")[2][0])
