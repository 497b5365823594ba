"""Which handler answers which path, and what is said where none does."""

from __future__ import annotations

import json

import pytest

from breakeven.gateway.http_request import Handler, Request
from breakeven.gateway.router import Router
from breakeven.pipeline.reply import Reply
from gateway.raw import JSON, exchange, get, post, responses, run, serving


def named(name: str) -> Handler:
    async def handler(request: Request, reply: Reply) -> None:
        reply.whole(200, JSON, json.dumps(name).encode())

    return handler


def table() -> Router:
    router = Router()
    for method, path in (
        ("POST", "/v1/chat"),
        ("GET", "/v1/models"),
        ("GET", "/v1/models/*"),
        ("GET", "/admin/*"),
        ("GET", "/admin/keys/*"),
        ("DELETE", "/admin/keys/*"),
    ):
        router.add(method, path, named(f"{method} {path}"))
    return router


@pytest.mark.parametrize(
    ("request_bytes", "expected"),
    [
        (post("/v1/chat", b"{}"), "POST /v1/chat"),
        (get("/v1/models?limit=3"), "GET /v1/models"),
        (get("/v1/models/gpt-4o"), "GET /v1/models/*"),
        (get("/admin/x/y"), "GET /admin/*"),
        (get("/admin/keys/1"), "GET /admin/keys/*"),
    ],
)
def test_exact_paths_come_first_then_the_longest_prefix(request_bytes: bytes, expected: str) -> None:
    async def scenario() -> None:
        async with serving(table()) as server:
            [(status, body)] = responses(await exchange(server, request_bytes))
            assert (status, json.loads(body)) == (200, expected)

    run(scenario())


@pytest.mark.parametrize("path", ["/", "/v1/chat/", "/v1//chat", "/v1/Chat", "/v1%2Fchat", "/v1/../v1/chat", "/admin"])
def test_another_spelling_is_another_path(path: str) -> None:
    async def scenario() -> None:
        async with serving(table()) as server:
            [(status, body)] = responses(await exchange(server, get(path)))
            assert status == 404
            assert json.loads(body)["error"]["code"] == "not_found"

    run(scenario())


def test_a_method_that_a_path_does_not_answer_is_told_which_it_does() -> None:
    async def scenario() -> None:
        async with serving(table()) as server:
            heard = await exchange(server, get("/v1/chat"))
            assert heard.startswith(b"HTTP/1.1 405 ")
            assert b"allow: POST\r\n" in heard
            heard = await exchange(server, post("/admin/keys/1", b""))
            assert b"allow: DELETE, GET, HEAD\r\n" in heard

    run(scenario())


def test_head_is_answered_where_get_is() -> None:
    async def scenario() -> None:
        async with serving(table()) as server:
            heard = await exchange(server, get("/v1/models").replace(b"GET", b"HEAD"))
            assert heard.startswith(b"HTTP/1.1 200 ")
            assert heard.endswith(b"\r\n\r\n")

    run(scenario())


def test_a_path_has_one_handler() -> None:
    router = table()
    with pytest.raises(ValueError, match="GET /admin/"):
        router.add("GET", "/admin/*", named("again"))
