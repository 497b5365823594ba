"""Upstreams that are there without being configured: keys in the environment, model servers on this machine."""

from __future__ import annotations

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection, HTTPException
from typing import Final, NamedTuple

import msgspec

from breakeven.gateway.config import ECHO, GatewayConfig, UpstreamConfig, Wire


class Hosted(NamedTuple):
    """A provider: the variable of its key, its name and base URL, and a small model to try it with."""

    variable: str
    name: str
    url: str
    example: str
    wire: Wire = "openai"


HOSTED: Final = (
    Hosted("OPENAI_API_KEY", "openai", "https://api.openai.com/v1", "gpt-5-nano"),
    Hosted("ANTHROPIC_API_KEY", "anthropic", "https://api.anthropic.com/v1", "claude-haiku-4-5", "anthropic"),
    Hosted(
        "GEMINI_API_KEY",
        "google",
        "https://generativelanguage.googleapis.com/v1beta/openai",
        "gemini-2.5-flash-lite",
    ),
    Hosted("MISTRAL_API_KEY", "mistral", "https://api.mistral.ai/v1", "mistral-small-latest"),
    Hosted("GROQ_API_KEY", "groq", "https://api.groq.com/openai/v1", "openai/gpt-oss-20b"),
    Hosted(
        "FIREWORKS_API_KEY",
        "fireworks",
        "https://api.fireworks.ai/inference/v1",
        "accounts/fireworks/models/gpt-oss-120b",
    ),
    Hosted("TOGETHER_API_KEY", "together", "https://api.together.xyz/v1", "openai/gpt-oss-120b"),
    Hosted("DEEPSEEK_API_KEY", "deepseek", "https://api.deepseek.com/v1", "deepseek-chat"),
    Hosted("OPENROUTER_API_KEY", "openrouter", "https://openrouter.ai/api/v1", "openai/gpt-oss-20b"),
    Hosted("XAI_API_KEY", "x-ai", "https://api.x.ai/v1", "grok-4.3"),
)
"""Base URLs as each provider documents them, November 2026."""

LOCAL: Final = {"ollama": 11_434, "vllm": 8_000, "llamacpp": 8_080, "sglang": 30_000}
"""Ports at which model servers listen unless they are told otherwise."""

_PATIENCE_S: Final = 1.0
_MOST_BYTES: Final = 1 << 20


class _Model(msgspec.Struct):
    id: str


class _ModelList(msgspec.Struct):
    data: list[_Model]


def discovered(
    own_port: int, environment: Mapping[str, str] = os.environ, local: Mapping[str, int] = LOCAL
) -> list[UpstreamConfig]:
    """Hosted providers whose key is in the environment, then model servers on this machine; the echo if there is none.

    A local server is one that lists its models; they cost nothing by the token, since the hardware is paid for by the
    hour.
    """
    hosted = [
        UpstreamConfig(name=each.name, url=each.url, wire=each.wire, provider=each.name, api_key_env=each.variable)
        for each in HOSTED
        if environment.get(each.variable)
    ]
    ports = {name: port for name, port in local.items() if port != own_port}
    with ThreadPoolExecutor(len(local)) as probes:
        lists = dict(zip(ports, probes.map(models_at, ports.values()), strict=True))
    servers = [
        UpstreamConfig.own_hardware(name, f"http://127.0.0.1:{ports[name]}/v1", models)
        for name, models in lists.items()
        if models
    ]
    return [*hosted, *servers] or [UpstreamConfig(name=ECHO, wire="echo", provider=ECHO)]


def models_at(port: int) -> list[str]:
    """The models that a server at this port of this machine lists; none where it is no model server."""
    connection = HTTPConnection("127.0.0.1", port, timeout=_PATIENCE_S)
    try:
        connection.request("GET", "/v1/models")
        answer = connection.getresponse()
        if answer.status != 200:
            return []
        listed = msgspec.json.decode(answer.read(_MOST_BYTES), type=_ModelList)
    except (OSError, HTTPException, msgspec.MsgspecError):
        return []
    finally:
        connection.close()
    return [model.id for model in listed.data]


def example_model(config: GatewayConfig) -> str:
    """A model to try a gateway with: one that it names, else a small one of a provider; ``MODEL`` if none is known."""
    if config.models:
        return config.models[0].name
    for upstream in config.upstreams:
        if upstream.wire == "echo":
            return ECHO
        if upstream.models:
            return upstream.models[0]
        known = next((each for each in HOSTED if each.name == (upstream.provider or upstream.name)), None)
        if known is not None:
            return known.example
    return "MODEL"
