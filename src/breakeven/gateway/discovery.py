"""Upstreams that are there without being configured: keys in the environment, model servers on this machine."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from typing import Final

from breakeven.gateway.config import ECHO, UpstreamConfig, Wire

_HOSTED: Final[Mapping[str, tuple[str, str, Wire]]] = {
    "OPENAI_API_KEY": ("openai", "https://api.openai.com/v1", "openai"),
    "ANTHROPIC_API_KEY": ("anthropic", "https://api.anthropic.com/v1", "anthropic"),
    "GEMINI_API_KEY": ("google", "https://generativelanguage.googleapis.com/v1beta/openai", "openai"),
    "MISTRAL_API_KEY": ("mistral", "https://api.mistral.ai/v1", "openai"),
    "GROQ_API_KEY": ("groq", "https://api.groq.com/openai/v1", "openai"),
    "FIREWORKS_API_KEY": ("fireworks", "https://api.fireworks.ai/inference/v1", "openai"),
    "TOGETHER_API_KEY": ("together", "https://api.together.xyz/v1", "openai"),
    "DEEPSEEK_API_KEY": ("deepseek", "https://api.deepseek.com/v1", "openai"),
    "OPENROUTER_API_KEY": ("openrouter", "https://openrouter.ai/api/v1", "openai"),
    "XAI_API_KEY": ("x-ai", "https://api.x.ai/v1", "openai"),
}
"""Base URLs as each provider documents them, November 2026."""

_LOCAL: Final = {"ollama": 11_434, "vllm": 8_000, "llamacpp": 8_080, "sglang": 30_000}
"""Ports at which model servers listen unless they are told otherwise."""

_PROBE_S: Final = 0.2


def discovered(own_port: int, environment: Mapping[str, str] = os.environ) -> list[UpstreamConfig]:
    """Hosted providers whose key is in the environment, then servers that listen on this machine, then the echo.

    A local server costs nothing by the token, since its hardware is paid for by the hour.
    """
    hosted = [
        UpstreamConfig(name=name, url=url, wire=wire, provider=name, api_key_env=variable)
        for variable, (name, url, wire) in _HOSTED.items()
        if environment.get(variable)
    ]
    ports = {name: port for name, port in _LOCAL.items() if port != own_port}
    answering = asyncio.run(_listening(list(ports.values())))
    local = [
        UpstreamConfig.own_hardware(name, f"http://127.0.0.1:{port}/v1")
        for name, port in ports.items()
        if port in answering
    ]
    return [*hosted, *local] or [UpstreamConfig(name=ECHO, wire="echo", provider=ECHO)]


async def _listening(ports: list[int]) -> set[int]:
    found = await asyncio.gather(*map(_listens, ports))
    return {port for port, listens in zip(ports, found, strict=True) if listens}


async def _listens(port: int) -> bool:
    try:
        async with asyncio.timeout(_PROBE_S):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True
