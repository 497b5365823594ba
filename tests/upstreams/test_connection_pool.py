from __future__ import annotations

import asyncio
import os
import socket
import struct
from collections.abc import Callable
from typing import NoReturn

from breakeven.upstreams.base_url import read_base_url
from breakeven.upstreams.connection_pool import ConnectionPool, PoolLimits
from breakeven.upstreams.dialer import Dialer
from breakeven.upstreams.http_exchange import HttpExchange
from breakeven.upstreams.http_upstream import HttpUpstream
from breakeven.upstreams.upstream import Timeouts
from upstreams.loopback import CHUNKED, OK, Caller, Heard, Run, always, ask, once, serving, upstream

BIG = b"x" * 8_000_000


def test_a_connection_that_closed_while_idle_is_never_written_to(run: Run) -> None:
    async def check() -> None:
        async with serving(once(OK)) as server:
            client = upstream(server.port)
            for _ in range(20):
                heard = await ask(client)
                assert heard.body == b"{}"
            assert len(server.requests) == 20

    run(check())


def test_an_end_that_only_the_kernel_has_seen_is_noticed(run: Run) -> None:
    async def check() -> None:
        async with serving(always(OK)) as server:
            client = upstream(server.port)
            await ask(client)
            (caller,) = server.callers
            caller.writer.transport.abort()
            # The server's turn and ours come in one go: the loop has not read the end when the request is sent.
            heard = Heard()
            asyncio.get_running_loop().call_soon(client.send, "/x", {}, b"{}", heard)
            assert (await heard.end()).body == b"{}"
            assert len(server.callers) == 2

    run(check())


def test_a_connection_that_ends_with_its_answer_is_not_given_to_who_waits(run: Run) -> None:
    async def ends(caller: Caller) -> None:
        await caller.answer(OK)
        with socket.socket(fileno=os.dup(caller.writer.get_extra_info("socket").fileno())) as raw:
            raw.shutdown(socket.SHUT_WR)
        await asyncio.sleep(1)

    async def check() -> None:
        async with serving(ends) as server:
            client = upstream(server.port, limits=PoolLimits(max_connections=2))
            heard = await asyncio.gather(*(ask(client) for _ in range(20)))
            assert [each.body for each in heard] == [b"{}"] * 20
            assert len(server.callers) == 20

    run(check())


def test_a_request_that_cannot_have_been_read_whole_is_sent_once_more(run: Run) -> None:
    async def first_one_dies(caller: Caller) -> None:
        await caller.answer(OK)
        if caller.number == 0:
            await caller.reader.read(1)
            linger = struct.pack("ii", 1, 0)
            caller.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            return
        await caller.answer(OK)

    async def check() -> None:
        async with serving(first_one_dies) as server:
            client = upstream(server.port)
            await ask(client)
            assert (await ask(client, BIG)).body == b"{}"
            assert [len(caller.requests) for caller in server.callers] == [1, 1]

    run(check())


def test_a_fresh_connection_that_dies_is_a_failure(run: Run) -> None:
    async def dies(caller: Caller) -> None:
        await caller.reader.read(1)

    async def check() -> None:
        async with serving(dies) as server:
            heard = await ask(upstream(server.port), BIG)
            assert heard.failure is not None
            assert (heard.failure.failure, heard.failure.sent) == ("broken", False)
            assert len(server.callers) == 1

    run(check())


def test_a_kept_connection_that_dies_after_the_request_was_out_is_a_failure(run: Run) -> None:
    async def dies_second(caller: Caller) -> None:
        await caller.answer(OK)
        await caller.request()

    async def check() -> None:
        async with serving(dies_second) as server:
            client = upstream(server.port)
            await ask(client)
            heard = await ask(client)
            assert heard.failure is not None
            assert (heard.failure.failure, heard.failure.sent) == ("broken", True)
            assert len(server.requests) == 2, "it may have been billed: it is not sent again"

    run(check())


def test_an_answer_before_the_request_was_out_is_heard_and_the_connection_not_used_again(run: Run) -> None:
    async def impatient(caller: Caller) -> None:
        await caller.reader.readuntil(b"\r\n\r\n")
        caller.writer.write(b"HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\n\r\n")
        await asyncio.sleep(0.3)

    async def check() -> None:
        async with serving(impatient) as server:
            client = upstream(server.port)
            assert (await ask(client, BIG)).status == 413
            assert client.counts.idle == 0
            assert (await ask(client)).status == 413

    run(check())


def test_a_connection_that_the_server_will_close_is_not_kept(run: Run) -> None:
    closing = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"

    async def check() -> None:
        for answer in (closing, b"HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n"):
            async with serving(always(answer)) as server:
                client = upstream(server.port)
                for _ in range(3):
                    await ask(client)
                assert len(server.callers) == 3
                assert client.counts.idle == 0

    run(check())


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not true():
            await asyncio.sleep(0.01)


def test_the_connection_used_last_is_used_next_and_the_others_age_away(run: Run) -> None:
    async def check() -> None:
        async with serving(always(OK)) as server:
            client = upstream(server.port, limits=PoolLimits(max_idle_s=0.5))
            await asyncio.gather(*(ask(client) for _ in range(4)))
            await until(lambda: client.counts.idle == 4)
            async with asyncio.timeout(10):
                while client.counts.idle > 1:
                    await ask(client)
                    await asyncio.sleep(0.01)
            await ask(client)
            assert len(server.callers) == 4
            await until(lambda: client.counts.idle == 0)

    run(check())


def test_a_server_that_says_how_long_it_keeps_a_connection_is_believed(run: Run) -> None:
    answer = b"HTTP/1.1 200 OK\r\nkeep-alive: timeout=1, max=100\r\ncontent-length: 0\r\n\r\n"

    async def check() -> None:
        async with serving(always(answer)) as server:
            client = upstream(server.port, Timeouts(idle_s=0.2))
            await ask(client)
            await until(lambda: client.counts.idle == 0)

    run(check())


def test_a_connection_does_not_outlive_its_age(run: Run) -> None:
    async def check() -> None:
        async with serving(always(OK)) as server:
            client = upstream(server.port, limits=PoolLimits(max_age_s=0.1))
            for _ in range(20):
                await ask(client)
                await asyncio.sleep(0.01)
            assert 2 <= len(server.callers) < 20

    run(check())


def test_the_queue_for_a_connection_is_bounded_and_says_busy(run: Run) -> None:
    async def silent(caller: Caller) -> None:
        await caller.request()
        await asyncio.sleep(5)

    async def check() -> None:
        async with serving(silent) as server:
            client = upstream(server.port, Timeouts(connect_s=0.2), PoolLimits(max_connections=1, max_waiting=2))
            first, *others = [Heard() for _ in range(5)]
            exchange = client.send("/x", {}, b"", first)
            await asyncio.sleep(0.05)
            for heard in others:
                client.send("/x", {}, b"", heard)
            assert all(heard.failure is None for heard in others), "nothing is heard before send returns"
            await asyncio.sleep(0.01)
            assert [heard.failure is not None for heard in others] == [False, False, True, True]
            for heard in others:
                await heard.end()
                assert heard.failure is not None
                assert (heard.failure.failure, heard.failure.sent) == ("busy", False)
            exchange.abort()
            await asyncio.sleep(0.01)
            assert client.counts.active == client.counts.waiting == 0
            assert len(server.requests) == 1

    run(check())


def test_an_exchange_given_up_is_heard_of_no_more_and_frees_its_place(run: Run) -> None:
    async def streams(caller: Caller) -> None:
        await caller.answer(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n")
        while True:
            caller.writer.write(b"x" * 100)
            await caller.writer.drain()
            await asyncio.sleep(0.001)

    async def check() -> None:
        async with serving(streams) as server:
            client = upstream(server.port, limits=PoolLimits(max_connections=1))
            for _ in range(5):
                heard = Heard()
                exchange = client.send("/x", {}, b"", heard)
                heard.on_piece = lambda _piece, given_up=exchange: given_up.abort()
                waiting = client.send("/x", {}, b"", never := Heard())
                waiting.abort()
                await until(lambda told=heard: bool(told.pieces))
                await asyncio.sleep(0.02)
                assert len(heard.pieces) == 1
                assert not heard.over.is_set()
                assert never.status == 0
                exchange.abort()
            assert client.counts.active == client.counts.waiting == 0
            assert len(server.callers) == 5

    run(check())


def test_a_late_call_does_not_touch_the_next_exchange_on_the_connection(run: Run) -> None:
    async def slow(caller: Caller) -> None:
        while True:
            await caller.request()
            await asyncio.sleep(0.05)
            caller.writer.write(OK)

    async def check() -> None:
        async with serving(slow) as server:
            client = upstream(server.port, limits=PoolLimits(max_connections=1))
            for late in ("pause", "resume", "abort"):
                first, second = Heard(), Heard()
                over = client.send("/x", {}, b"", first)
                client.send("/x", {}, b"", second)
                await first.end()
                assert client.counts.active == 1
                getattr(over, late)()
                assert (await second.end()).body == b"{}"
            assert len(server.callers) == 1

    run(check())


def test_a_paused_exchange_holds_the_upstream_back_and_is_not_timed_out(run: Run) -> None:
    written = 0

    async def firehose(caller: Caller) -> None:
        nonlocal written
        await caller.answer(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % (1000 * 65_536))
        for _ in range(1000):
            caller.writer.write(b"x" * 65_536)
            await caller.writer.drain()
            written += 65_536

    async def check() -> None:
        nonlocal written
        written = 0
        async with serving(firehose) as server:
            client = upstream(server.port, Timeouts(idle_s=0.1))
            heard = Heard()
            exchange = client.send("/x", {}, b"", heard)
            heard.on_piece = lambda _piece: exchange.pause()
            await asyncio.sleep(0.4)
            assert heard.failure is None
            assert written < 30_000_000
            assert len(heard.pieces) == 1
            heard.on_piece = lambda _piece: None
            exchange.resume()
            await heard.end()
            assert len(heard.body) == 1000 * 65_536

    run(check())


def test_a_connection_paused_at_the_end_of_an_answer_reads_the_next_one(run: Run) -> None:
    async def check() -> None:
        async with serving(always(CHUNKED)) as server:
            client = upstream(server.port)
            for _ in range(3):
                heard = Heard()
                exchange = client.send("/x", {}, b"", heard)
                heard.on_piece = lambda _piece, slow=exchange: slow.pause()
                assert (await heard.end()).body == b"hello world"
            assert len(server.callers) == 1

    run(check())


def test_all_pieces_that_came_together_are_heard_in_one(run: Run) -> None:
    async def check() -> None:
        async with serving(always(CHUNKED)) as server:
            assert (await ask(upstream(server.port))).pieces == [b"hello world"]

    run(check())


def test_closing_ends_what_is_under_way_and_refuses_what_comes(run: Run) -> None:
    async def silent(caller: Caller) -> None:
        await caller.request()
        await asyncio.sleep(5)

    async def check() -> None:
        async with serving(silent) as server:
            client = upstream(server.port, limits=PoolLimits(max_connections=1))
            active, waiting, late = Heard(), Heard(), Heard()
            client.send("/x", {}, b"", active)
            await asyncio.sleep(0.05)
            client.send("/x", {}, b"", waiting)
            await client.close()
            client.send("/x", {}, b"", late)
            for heard, failure in ((active, "broken"), (waiting, "busy"), (late, "busy")):
                await heard.end()
                assert heard.failure is not None
                assert heard.failure.failure == failure
            assert client.counts.active == client.counts.idle == client.counts.opening == client.counts.waiting == 0

    run(check())


class Nowhere(Dialer):
    """A network that swallows what is sent to it, or gives a connection after a while."""

    def __init__(self) -> None:
        super().__init__(read_base_url("http://127.0.0.1:1"))

    async def connect(self, protocol: object) -> NoReturn:
        await asyncio.sleep(60)
        raise AssertionError("nobody waits that long")


def test_connecting_ends_by_its_timeout(run: Run) -> None:
    async def check() -> None:
        pool = ConnectionPool(Nowhere(), Timeouts(connect_s=0.2), PoolLimits(max_connections=2))
        heard = [Heard() for _ in range(3)]
        for each in heard:
            pool.submit(HttpExchange("test", pool, b"", b"", each))
        for each in heard:
            await each.end()
        failures = [(each.failure.failure, each.failure.sent) for each in heard if each.failure]
        assert failures[:2] == [("connect_timeout", False)] * 2
        assert failures[2] in {("busy", False), ("connect_timeout", False)}, "after the others, or in its turn"
        await pool.close()
        assert pool.counts.opening == 0

    run(check())


def test_closing_does_not_wait_for_a_connection_that_is_being_made(run: Run) -> None:
    async def check() -> None:
        pool = ConnectionPool(Nowhere(), Timeouts(), PoolLimits())
        heard = Heard()
        pool.submit(HttpExchange("test", pool, b"", b"", heard))
        await asyncio.sleep(0.01)
        async with asyncio.timeout(1):
            await pool.close()
        await heard.end()
        assert pool.counts.opening == pool.counts.waiting == 0

    run(check())


def test_an_upstream_that_fails_keeps_nobody_waiting_for_the_others_failures(run: Run) -> None:
    async def check() -> None:
        async with serving(always(OK)) as server:
            port = server.port
        client: HttpUpstream = upstream(port, limits=PoolLimits(max_connections=2))
        heard = await asyncio.gather(*(ask(client) for _ in range(50)))
        assert {each.failure.failure for each in heard if each.failure} == {"connect"}
        assert client.counts.waiting == client.counts.opening == 0

    run(check())
