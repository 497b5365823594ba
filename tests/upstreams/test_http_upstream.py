from __future__ import annotations

import asyncio

import pytest

from breakeven.errors import InputError
from breakeven.upstreams.base_url import read_base_url
from breakeven.upstreams.connection_pool import PoolLimits
from breakeven.upstreams.credential import Credential
from breakeven.upstreams.http_upstream import HttpUpstream
from breakeven.upstreams.upstream import Timeouts
from upstreams.loopback import CHUNKED, OK, Caller, Heard, Run, always, ask, once, serving, upstream

HASTY = Timeouts(connect_s=0.3, first_byte_s=0.3, idle_s=0.3)


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (OK, b"{}"),
        (CHUNKED, b"hello world"),
        (b"HTTP/1.1 200 OK\r\n\r\nuntil the end", b"until the end"),
        (b"HTTP/1.0 200 OK\r\n\r\nold", b"old"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", b""),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" + OK, b"{}"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1;x=y\r\na\r\n0\r\nx-sum: 1\r\n\r\n", b"a"),
    ],
)
def test_an_answer_is_heard_however_it_is_framed_and_cut(run: Run, answer: bytes, body: bytes) -> None:
    async def drip(caller: Caller) -> None:
        await caller.request()
        for byte in answer:
            caller.writer.write(bytes([byte]))
            await asyncio.sleep(0)

    async def check() -> None:
        for behaviour in (once(answer), drip):
            async with serving(behaviour) as server:
                heard = await ask(upstream(server.port))
                assert heard.failure is None
                assert heard.whole
                assert heard.body == body
                assert b"x-sum" not in heard.headers
                assert b"link" not in heard.headers

    run(check())


@pytest.mark.parametrize("answer", [OK, CHUNKED])
def test_an_answer_cut_at_any_byte_is_never_taken_for_whole(run: Run, answer: bytes) -> None:
    async def check() -> None:
        for kept in range(len(answer)):
            async with serving(once(answer[:kept])) as server:
                heard = await ask(upstream(server.port))
                assert heard.failure is not None, kept
                assert (heard.failure.failure, heard.failure.sent) == ("broken", True)
                assert len(server.requests) == 1, "a request that may have been read is not sent again"

    run(check())


@pytest.mark.parametrize(
    "answer",
    [
        b"no http at all\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx: " + b"a" * 70_000 + b"\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"x: a\r\n" * 40_000,
        b"HTTP/1.1 102 Processing\r\n\r\n" * 20_000,
    ],
)
def test_an_answer_that_is_no_http_is_refused(run: Run, answer: bytes) -> None:
    async def check() -> None:
        async with serving(once(answer)) as server:
            client = upstream(server.port)
            heard = await ask(client)
            assert heard.failure is not None
            assert heard.failure.failure == "protocol"
            assert client.counts.idle == client.counts.active == 0

    run(check())


def test_what_nobody_asked_for_never_answers_the_next_request(run: Run) -> None:
    extra = OK + b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison"

    async def late(caller: Caller) -> None:
        await caller.answer(OK)
        await asyncio.sleep(0.05)
        caller.writer.write(extra)
        await asyncio.sleep(5)

    async def check() -> None:
        for behaviour in (always(extra), late):
            async with serving(behaviour) as server:
                client = upstream(server.port)
                for _ in range(3):
                    assert (await ask(client)).body == b"{}"
                    await asyncio.sleep(0.1)
                assert len(server.callers) == 3

    run(check())


def test_headers_arrive_in_lower_case_and_repeated_ones_joined(run: Run) -> None:
    answer = b"HTTP/1.1 429 Slow\r\nRetry-After: 7\r\nX-A:\r\nX-A: 2\r\nX-B:\r\nContent-Length: 0\r\n\r\n"

    async def check() -> None:
        async with serving(always(answer)) as server:
            heard = await ask(upstream(server.port))
            assert heard.status == 429
            assert heard.headers == {b"retry-after": b"7", b"x-a": b", 2", b"x-b": b"", b"content-length": b"0"}

    run(check())


def test_the_request_carries_the_credential_and_only_headers_that_may_be_forwarded(run: Run) -> None:
    forwarded = {b"x-request-id": b"7", b"authorization": b"Bearer client", b"accept-encoding": b"gzip", b"host": b"x"}

    async def check() -> None:
        async with serving(always(OK)) as server:
            client = upstream(server.port, credential=Credential(kind="bearer", secret="sk-secret"))
            await ask(client, b'{"a":1}', forwarded)
            head, _, body = server.requests[0].partition(b"\r\n\r\n")
            assert body == b'{"a":1}'
            assert head.split(b"\r\n") == [
                b"POST /v1/chat/completions HTTP/1.1",
                b"host: 127.0.0.1:%d" % server.port,
                b"user-agent: breakeven",
                b"content-type: application/json",
                b"accept-encoding: identity",
                b"authorization: Bearer sk-secret",
                b"x-request-id: 7",
                b"content-length: 7",
            ]
            assert "sk-secret" not in repr(client)
            with pytest.raises(InputError):
                client.send("/x", {b"x": b"a\r\nb: c"}, b"", Heard())

    run(check())


def test_anthropic_is_told_a_version_and_the_clients_own_goes_before(run: Run) -> None:
    async def check() -> None:
        async with serving(always(OK)) as server:
            url = read_base_url(f"http://127.0.0.1:{server.port}")
            client = HttpUpstream("test", "anthropic", url, Credential(kind="x-api-key", secret="s"))
            for headers in ({}, {b"anthropic-version": b"2099-01-01"}):
                heard = Heard()
                client.send("/messages", headers, b"{}", heard)
                await heard.end()
            first, second = server.requests
            assert b"\r\nx-api-key: s\r\nanthropic-version: 2023-06-01\r\n" in first
            assert b"\r\nanthropic-version: 2099-01-01\r\n" in second
            assert b"2023-06-01" not in second

    run(check())


def test_a_redirect_is_an_answer_like_any_other(run: Run) -> None:
    async def check() -> None:
        async with serving(always(b"HTTP/1.1 307 X\r\nlocation: http://x/\r\ncontent-length: 0\r\n\r\n")) as server:
            assert (await ask(upstream(server.port))).status == 307
            assert len(server.requests) == 1

    run(check())


def test_nobody_listening_is_a_failure_to_connect_before_anything_was_sent(run: Run) -> None:
    async def check() -> None:
        async with serving(always(OK)) as server:
            port = server.port
        heard = await ask(upstream(port, credential=Credential(kind="bearer", secret="sk-secret")))
        assert heard.failure is not None
        assert (heard.failure.failure, heard.failure.sent) == ("connect", False)
        assert str(heard.failure) == "upstream test cannot be reached: connection refused"

    run(check())


def test_silence_ends_by_the_timeout_that_it_falls_under(run: Run) -> None:
    async def silent(caller: Caller) -> None:
        await caller.request()
        await asyncio.sleep(5)

    async def head_only(caller: Caller) -> None:
        await caller.answer(CHUNKED.partition(b"5\r\n")[0])
        await asyncio.sleep(5)

    async def stalls(caller: Caller) -> None:
        await caller.answer(CHUNKED[:-20])
        await asyncio.sleep(5)

    async def check() -> None:
        loop = asyncio.get_running_loop()
        expected = {silent: "first_byte_timeout", head_only: "first_byte_timeout", stalls: "idle_timeout"}
        for behaviour, failure in expected.items():
            async with serving(behaviour) as server:
                client = upstream(server.port, HASTY)
                began_s = loop.time()
                heard = await ask(client)
                assert heard.failure is not None
                assert (heard.failure.failure, heard.failure.sent) == (failure, True)
                assert 0.28 <= loop.time() - began_s < 4
                assert client.counts.active == 0

    run(check())


def test_an_answer_that_keeps_coming_is_not_timed_out(run: Run) -> None:
    async def slow(caller: Caller) -> None:
        await caller.answer(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n")
        for _ in range(10):
            await asyncio.sleep(0.1)
            caller.writer.write(b"x")

    async def check() -> None:
        async with serving(slow) as server:
            assert (await ask(upstream(server.port, Timeouts(first_byte_s=0.6, idle_s=0.6)))).body == b"x" * 10

    run(check())


def test_a_thousand_requests_share_eight_connections(run: Run) -> None:
    async def echo(caller: Caller) -> None:
        while True:
            body = (await caller.request()).partition(b"\r\n\r\n")[2]
            caller.writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))

    async def check() -> None:
        async with serving(echo) as server:
            client = upstream(server.port, limits=PoolLimits(max_connections=8))
            bodies = [b"%d" % number for number in range(1000)]
            answers = await asyncio.gather(*(ask(client, body) for body in bodies))
            assert [answer.body for answer in answers] == bodies
            assert len(server.callers) == 8
            assert client.counts.waiting == client.counts.active == 0
            assert client.counts.idle == 8

    run(check())
