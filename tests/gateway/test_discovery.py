"""What a gateway finds by itself, and the model that it suggests to be tried."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from breakeven.catalog.negotiated import PriceConfig
from breakeven.gateway.config import GatewayConfig, UpstreamConfig, read_config
from breakeven.gateway.discovery import HOSTED, Hosted, discovered, example_model, models_at
from breakeven.gateway.price_lookup import price_lookup

NO_SERVERS = {"ollama": 9}


@contextmanager
def server(status: int, body: bytes) -> Iterator[int]:
    """A server on this machine that gives one answer to everything."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    httpd = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield httpd.server_port
    finally:
        httpd.shutdown()
        thread.join()
        httpd.server_close()


def model_list(*names: str) -> bytes:
    return json.dumps({"object": "list", "data": [{"id": name, "object": "model"} for name in names]}).encode()


def test_a_local_model_server_is_found_with_its_models_and_costs_nothing_by_the_token() -> None:
    with server(200, model_list("qwen3:8b", "llama3")) as port:
        (found,) = discovered(0, {}, {"ollama": port})
    assert (found.name, found.url, found.models) == ("ollama", f"http://127.0.0.1:{port}/v1", ["qwen3:8b", "llama3"])
    assert (found.input_usd_per_mtok, found.output_usd_per_mtok) == (Decimal(0), Decimal(0))


@pytest.mark.parametrize(
    ("status", "body"),
    [(404, b""), (401, model_list("mine")), (200, b"<html>"), (200, b'{"data": 3}'), (200, model_list())],
    ids=["another page", "a gateway that wants a key", "no JSON", "another shape", "no models"],
)
def test_a_server_that_lists_no_models_is_none_of_ours(status: int, body: bytes) -> None:
    with server(status, body) as port:
        assert models_at(port) == []
        assert [each.name for each in discovered(0, {}, {"vllm": port})] == ["echo"]


def test_a_port_that_answers_nothing_holds_up_no_start() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert models_at(silent.getsockname()[1]) == []


def test_the_port_of_the_gateway_itself_is_not_asked() -> None:
    with server(200, model_list("itself")) as port:
        assert [each.name for each in discovered(port, {}, {"llamacpp": port})] == ["echo"]


def test_keys_in_the_environment_are_found_and_kept_out_of_the_configuration() -> None:
    environment = {"ANTHROPIC_API_KEY": "sk-secret", "OPENAI_API_KEY": "sk-other", "GROQ_API_KEY": "", "PATH": "/bin"}
    found = discovered(0, environment, NO_SERVERS)
    assert [(each.name, each.wire, each.api_key_env) for each in found] == [
        ("openai", "openai", "OPENAI_API_KEY"),
        ("anthropic", "anthropic", "ANTHROPIC_API_KEY"),
    ]
    assert "sk-" not in repr(found)


@pytest.mark.parametrize("hosted", HOSTED, ids=lambda hosted: hosted.name)
def test_the_model_that_is_suggested_has_a_price(hosted: Hosted) -> None:
    (found,) = discovered(0, {hosted.variable: "k"}, NO_SERVERS)
    model = example_model(GatewayConfig(upstreams=[found]))
    cards = price_lookup(found, model, PriceConfig())(datetime.now(UTC), "standard")
    assert cards.paid.provider == found.provider


def test_the_suggested_model_is_one_that_is_served() -> None:
    own = {"name": "mine", "url": "http://127.0.0.1:8000", "models": ["served"]}
    named = {"name": "house-model", "targets": [{"upstream": "mine"}]}
    assert example_model(read_config({"upstreams": [own]})) == "served"
    assert example_model(read_config({"upstreams": [own], "models": [named]})) == "house-model"
    assert example_model(read_config({"upstreams": [{"name": "echo", "wire": "echo"}]})) == "echo"
    unknown = UpstreamConfig(name="proxy", url="http://10.0.0.1")
    assert example_model(GatewayConfig(upstreams=[unknown])) == "MODEL"
