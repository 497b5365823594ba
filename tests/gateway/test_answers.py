"""Answers on the wire: one piece or a stream, for every kind of client, and strictly in order."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

import pytest

from breakeven.gateway.http_request import Request
from breakeven.gateway.http_server import HttpServer
from breakeven.gateway.limits import Limits
from breakeven.pipeline.reply import Reply
from gateway.raw import (
    JSON,
    LOOPS,
    Client,
    Held,
    exchange,
    get,
    paths,
    post,
    responses,
    run,
    serving,
    statuses,
)

Loop = Callable[[], asyncio.AbstractEventLoop]


async def stream(request: Request, reply: Reply) -> None:
    reply.begin(200, [(b"content-type", b"text/event-stream")])
    for piece in (b"one", b"", b"two"):
        reply.piece(piece)
        await asyncio.sleep(0)
    reply.end(b"three")


@pytest.mark.parametrize("loop", LOOPS)
def test_an_answer_has_its_length_date_and_security_headers(loop: Loop) -> None:
    async def scenario() -> None:
        async with serving() as server:
            heard = await exchange(server, get("/"))
        assert heard.startswith(b"HTTP/1.1 200 OK\r\ndate: ")
        head, body = heard.split(b"\r\n\r\n")
        assert f"content-length: {len(body)}".encode() in head
        assert b"x-content-type-options: nosniff" in head
        assert b"cache-control: no-store" in head
        assert b"server" not in head.lower()
        assert b"connection" not in head.lower()

    run(scenario(), loop)


def test_a_handler_may_allow_storing() -> None:
    async def answer(request: Request, reply: Reply) -> None:
        reply.whole(200, [(b"x", b"cache-control: z"), (b"cache-control", b"max-age=60")], b"")

    async def scenario() -> None:
        async with serving(answer) as server:
            assert (await exchange(server, get("/"))).count(b"\r\ncache-control:") == 1

    run(scenario())


@pytest.mark.parametrize("loop", LOOPS)
def test_a_stream_is_chunked_and_the_connection_goes_on(loop: Loop) -> None:
    async def scenario() -> None:
        async with serving(stream) as server:
            heard = await exchange(server, get("/") + get("/"))
        parts = heard.split(b"\r\n\r\n")
        assert b"transfer-encoding: chunked" in parts[0]
        assert b"content-length" not in parts[0]
        assert parts[1] == b"3\r\none\r\n3\r\ntwo\r\n5\r\nthree\r\n0"
        assert parts[3] == parts[1]

    run(scenario(), loop)


def test_a_piece_leaves_at_once() -> None:
    async def waits(request: Request, reply: Reply) -> None:
        reply.begin(200, [])
        await held.go.wait()
        reply.piece(b"first")
        await asyncio.sleep(1000)

    async def scenario() -> None:
        async with serving(waits) as server:
            client = await Client.connect(server)
            await client.send(get("/"))
            await client.until(b"\r\n\r\n")
            held.go.set()
            await client.until(b"5\r\nfirst\r\n")

    held = Held()
    run(scenario())


def test_head_is_answered_without_a_body() -> None:
    async def scenario() -> None:
        for handler, framing in ((None, b"content-length: 4"), (stream, b"")):
            async with serving(handler or short) as server:
                heard = await exchange(server, get("/").replace(b"GET", b"HEAD") * 2)
            assert heard.count(b"HTTP/1.1 200") == 2
            assert heard.endswith(b"\r\n\r\n")
            assert heard.count(b"\r\n\r\n") == 2
            assert framing in heard
            assert b"chunked" not in heard

    async def short(request: Request, reply: Reply) -> None:
        reply.whole(200, JSON, b"four")

    run(scenario())


@pytest.mark.parametrize("status", [204, 304])
def test_a_status_without_body_has_no_length(status: int) -> None:
    async def nothing(request: Request, reply: Reply) -> None:
        reply.whole(status, [], b"not sent")

    async def scenario() -> None:
        async with serving(nothing) as server:
            heard = await exchange(server, get("/") * 2)
        assert statuses(heard) == [status, status]
        assert b"content-length" not in heard

    run(scenario())


def test_http_1_0_gets_its_connection_closed_unless_it_asks_to_keep_it() -> None:
    plain, kept = b"GET /a HTTP/1.0\r\n\r\n", b"GET /b HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"

    async def scenario() -> None:
        async with serving() as server:
            heard = await exchange(server, kept + plain + kept)
            assert paths(heard) == ["/b", "/a"]
            assert heard.count(b"connection: keep-alive\r\n") == 1
            assert heard.count(b"connection: close\r\n") == 1
        async with serving(stream) as server:
            head, body = (await exchange(server, kept + kept)).split(b"\r\n\r\n")
            assert body == b"onetwothree"
            assert b"chunked" not in head
            assert b"connection: close" in head

    run(scenario())


@pytest.mark.parametrize("loop", LOOPS)
def test_connection_close_is_obeyed(loop: Loop) -> None:
    async def scenario() -> None:
        async with serving() as server:
            client = await Client.connect(server)
            await client.send(get("/a", "Connection: close") + get("/b"))
            heard = await client.to_end()
            assert paths(heard) == ["/a"]
            assert b"connection: close" in heard

    run(scenario(), loop)


@pytest.mark.parametrize("loop", LOOPS)
def test_pipelined_requests_are_worked_on_one_after_the_other(loop: Loop) -> None:
    held = Held()

    async def scenario() -> None:
        async with serving(held) as server:
            client = await Client.connect(server)
            await client.send(get("/1") + post("/2", b"two"), get("/3"))
            await asyncio.sleep(0.05)
            assert [request.path for request in held.requests] == ["/1"]
            held.go.set()
            await client.send(get("/4", "Connection: close"))
            assert paths(await client.to_end()) == ["/1", "/2", "/3", "/4"]
            assert held.requests[1].body == b"two"

    run(scenario(), loop)


def test_many_pipelined_requests_do_not_pile_up() -> None:
    async def scenario() -> None:
        async with serving() as server:
            client = await Client.connect(server)
            await client.send(get("/x") * 5000 + get("/last", "Connection: close"))
            assert paths(await client.to_end())[-2:] == ["/x", "/last"]
            assert len(paths(client.heard)) == 5001

    run(scenario())


def test_what_is_pipelined_is_read_only_to_a_bound() -> None:
    held = Held()

    async def scenario() -> None:
        async with serving(held, Limits(held_bytes=1000)) as server:
            client = await Client.connect(server)
            await client.send(get("/first"))
            client.writer.write(post("/second", b"a" * 30_000_000))
            await asyncio.sleep(0.3)
            [connection] = server._connections
            assert len(connection._held) < 1_000_000
            held.go.set()
            await eventually_answered(client, 2)

    async def eventually_answered(client: Client, count: int) -> None:
        while client.heard.count(b"HTTP/1.1 200") < count:
            client.heard += await client.reader.read(2**20)

    run(scenario())


def test_a_large_body_comes_whole_however_it_is_cut() -> None:
    body = bytes(range(256)) * 2000
    seen = []

    async def keep(request: Request, reply: Reply) -> None:
        seen.append(request.body == body)
        reply.whole(200, JSON, b"{}")

    async def scenario() -> None:
        async with serving(keep) as server:
            whole = post("/", body)
            for step in (len(whole), 100_000, 5_000, 4_096, 1_447):
                parts = [whole[start : start + step] for start in range(0, len(whole), step)]
                assert statuses(await exchange(server, *parts)) == [200]

    run(scenario())
    assert seen == [True] * 5


def test_expect_100_continue_is_told_to_go_on() -> None:
    head = b"POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-Continue\r\n\r\n"

    async def scenario() -> None:
        async with serving(limits=Limits(body_bytes=10)) as server:
            client = await Client.connect(server)
            await client.send(head)
            assert await client.until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            await client.send(b"abc" + head.replace(b"Length: 3", b"Length: 99"))
            assert statuses(await client.to_end()) == [200, 413]
            assert client.heard.count(b"100 Continue") == 1
            assert b"100 Continue" not in await exchange(server, head + b"abc")

    run(scenario())


@pytest.mark.parametrize("loop", LOOPS)
def test_a_handler_that_fails_is_a_500_without_a_word_of_why(loop: Loop, caplog: pytest.LogCaptureFixture) -> None:
    async def fails(request: Request, reply: Reply) -> None:
        raise ZeroDivisionError("a secret")

    async def silent(request: Request, reply: Reply) -> None:
        pass

    async def scenario() -> None:
        for handler in (fails, silent):
            async with serving(handler) as server:
                heard = await exchange(server, get("/"))
                assert statuses(heard) == [500]
                assert b"secret" not in heard
                assert b"internal_error" in heard

    run(scenario(), loop)
    assert "a secret" in caplog.text


@pytest.mark.parametrize("loop", LOOPS)
def test_a_stream_that_breaks_off_does_not_look_whole(loop: Loop, caplog: pytest.LogCaptureFixture) -> None:
    async def fails(request: Request, reply: Reply) -> None:
        reply.begin(200, [])
        reply.piece(b"half")
        await asyncio.sleep(0.01)
        raise ZeroDivisionError

    async def aborts(request: Request, reply: Reply) -> None:
        reply.begin(200, [])
        reply.piece(b"half")
        reply.abort()

    async def scenario() -> None:
        for handler in (fails, aborts):
            async with serving(handler) as server:
                client = await Client.connect(server)
                await client.send(get("/"))
                assert not (await client.to_end()).endswith(b"0\r\n\r\n")

    run(scenario(), loop)


def test_a_header_cannot_smuggle_another(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        for header in ((b"a", b"b\r\nset-cookie: c"), (b"a", b"b\n"), (b"a\r", b"b"), (b"a", b"\r\n\r\nbody")):

            async def injects(request: Request, reply: Reply, header: tuple[bytes, bytes] = header) -> None:
                reply.whole(200, [header], b"")

            async with serving(injects) as server:
                assert statuses(await exchange(server, get("/"))) == [500]

    run(scenario())


def test_a_reply_is_used_once() -> None:
    async def twice(request: Request, reply: Reply) -> None:
        reply.begin(200, [])
        with pytest.raises(RuntimeError):
            reply.begin(200, [])
        with pytest.raises(RuntimeError):
            reply.whole(200, [], b"")
        reply.end()
        reply.end()
        reply.piece(b"late")
        reply.whole(200, [], b"late")

    async def scenario() -> None:
        async with serving(twice) as server:
            assert (await exchange(server, get("/"))).endswith(b"\r\n\r\n0\r\n\r\n")

    run(scenario())


@pytest.mark.parametrize("loop", LOOPS)
def test_answers_do_not_wait_for_the_client_to_acknowledge(loop: Loop) -> None:
    async def scenario() -> None:
        async with serving() as server:
            client = await Client.connect(server)
            await client.send(get("/"))
            await client.until(b"\r\n\r\n")
            [connection] = server._connections
            connected = connection._transport.get_extra_info("socket")
            assert connected.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0

    run(scenario(), loop)


def test_a_request_says_who_asks_for_what() -> None:
    seen = []

    async def keep(request: Request, reply: Reply) -> None:
        seen.append(request)
        reply.whole(200, JSON, b"{}")

    async def scenario() -> None:
        async with serving(keep) as server:
            await exchange(server, get("/a%2Fb?c=%C3%A9&d=&c=2", "X-Key: Abc"))

    run(scenario())
    [request] = seen
    assert (request.method, request.path, request.peer) == ("GET", "/a%2Fb", "127.0.0.1")
    assert request.parameters() == {"c": "2", "d": ""}
    assert request.headers[b"x-key"] == b"Abc"


def test_the_error_body_has_the_shape_that_was_asked_for() -> None:
    async def never(request: Request, reply: Reply) -> None:
        raise AssertionError

    async def scenario() -> None:
        server = HttpServer(never, Limits(), lambda status, message, code: f"{status}/{code}".encode())
        await server.listen("127.0.0.1", 0)
        [(status, body)] = responses(await exchange(server, b"nonsense\r\n\r\n"))
        assert (status, body) == (400, b"400/bad_request")
        await server.close()

    run(scenario())
