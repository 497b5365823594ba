"""A gateway's process between two providers and the official clients, for the tests of those clients."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anthropic
import httpx2
import openai
import pytest

from gateway import provider_answers
from gateway.live import ADMIN, Live
from gateway.provider import Provider, provider

GPT, CLAUDE, EMBEDDING, LEGACY = "gpt-4o-mini", "claude-haiku-4-5", "text-embedding-3-small", "gpt-3.5-turbo-instruct"
GPT_NANO_USD = (100 - 40) * 150 + 40 * 75 + 20 * 600
"""What the provider's usual answer costs: $0.15, cached $0.075, output $0.60 a million tokens."""

PROVIDER_SECRET = "sk-provider-9f8e7d6c5b4a"
"""The gateway's own credential, which clients must never see."""

CONFIG = """
[[upstreams]]
name = "openai"
url = "{openai}"
provider = "openai"
api_key_file = "provider.key"
models = ["gpt-4o-mini", "gpt-3.5-turbo-instruct", "text-embedding-3-small"]

[[upstreams]]
name = "anthropic"
url = "{anthropic}"
wire = "anthropic"
provider = "anthropic"
api_key_file = "provider.key"
models = ["claude-haiku-4-5"]

[[models]]
name = "fast"
targets = [{ upstream = "openai", model = "gpt-4o-mini" }]
"""


@dataclass(slots=True, kw_only=True)
class Between:
    """The gateway, the providers behind it, and what the clients sent."""

    live: Live
    openai_provider: Provider
    anthropic_provider: Provider
    sent: list[httpx2.Request] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.live.port}"

    def openai(self, key: str = "", *, max_retries: int = 0, **more: Any) -> openai.OpenAI:
        """The official client, of which only the base URL and the key are changed; it does not retry unless told to."""
        return openai.OpenAI(
            base_url=f"{self.url}/v1",
            api_key=key or self.live.key,
            http_client=httpx2.Client(event_hooks={"request": [self.sent.append]}),
            max_retries=max_retries,
            **more,
        )

    def anthropic(self, key: str = "", *, max_retries: int = 0, **more: Any) -> anthropic.Anthropic:
        """As `openai`, of the other official client."""
        return anthropic.Anthropic(
            base_url=self.url,
            api_key=key or self.live.key,
            http_client=httpx2.Client(event_hooks={"request": [self.sent.append]}),
            max_retries=max_retries,
            **more,
        )

    def another_key(self, user: str, *options: str) -> str:
        """A key beside the one that the clients use by default."""
        usual = self.live.key, self.live.key_id
        try:
            return self.live.new_key(user, *options)
        finally:
            self.live.key, self.live.key_id = usual

    def ledger(self, request_id: str) -> dict[str, Any]:
        """What the ledger says of a request."""
        answer = httpx2.get(
            f"{self.url}/admin/requests/{request_id}", headers={"authorization": f"Bearer {ADMIN}"}, timeout=20
        )
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def all_rows(self) -> list[dict[str, Any]]:
        """Every row of the ledger, once nothing is under way."""
        asyncio.run(self.live.quiet())
        return self.live.rows()


@contextmanager
def gateway_between(folder: Path, config: str = CONFIG, arguments: tuple[str, ...] = ()) -> Iterator[Between]:
    """A gateway's process with a provider of each wire behind it."""
    with ExitStack() as stack:
        ours = stack.enter_context(provider(provider_answers.openai))
        theirs = stack.enter_context(provider(provider_answers.anthropic))
        text = config.replace("{openai}", ours.url).replace("{anthropic}", theirs.url)
        live = stack.enter_context(Live(folder=folder, config=text, arguments=arguments))
        (folder / "provider.key").write_text(PROVIDER_SECRET + "\n", "utf-8")
        live.new_key()
        live.start()
        yield Between(live=live, openai_provider=ours, anthropic_provider=theirs)


def refusal_of(kind: type[Exception], call: Callable[[], object]) -> Any:
    """The error of this very kind that a call raises."""
    with pytest.raises(kind) as raised:
        call()
    assert type(raised.value) is kind, repr(raised.value)
    return raised.value
