"""What may mean two things to two servers is refused, and what follows it is never taken for a request."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence

import pytest

from breakeven.gateway.http_request import Request
from breakeven.gateway.limits import Limits
from breakeven.gateway.refusal import Refusal
from breakeven.gateway.request_reader import RequestReader
from breakeven.pipeline.reply import Reply
from gateway.raw import LOOPS, chunked, cut, exchange, get, paths, post, run, serving, statuses

POST = b"POST / HTTP/1.1\r\nHost: x\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
SMALL = Limits(
    target_bytes=100, header_bytes=400, header_count=10, body_bytes=1000, sweep_s=0.02, idle_s=2, header_s=0.3
)

REFUSED = {
    "content-length with transfer-encoding": (
        400,
        POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
    "transfer-encoding with content-length": (
        400,
        POST + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    ),
    "two lengths": (400, POST + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"),
    "two equal lengths": (400, POST + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc"),
    "a list of lengths": (400, POST + b"Content-Length: 3, 3\r\n\r\nabc"),
    "a signed length": (400, POST + b"Content-Length: +3\r\n\r\nabc"),
    "a negative length": (400, POST + b"Content-Length: -3\r\n\r\nabc"),
    "a hexadecimal length": (400, POST + b"Content-Length: 0x3\r\n\r\nabc"),
    "an empty length": (400, POST + b"Content-Length: \r\n\r\nabc"),
    "a length with a space in it": (400, POST + b"Content-Length: 3 0\r\n\r\nabc"),
    "a length beyond 64 bits": (400, POST + b"Content-Length: 18446744073709551619\r\n\r\nabc"),
    "a length in an obsolete fold": (400, POST + b"Content-Length:\r\n 3\r\n\r\nabc"),
    "an unknown transfer-encoding": (400, POST + b"Transfer-Encoding: gzip\r\n\r\nabc"),
    "an encoding before chunked": (400, POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    "chunked before an encoding": (400, POST + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n"),
    "chunked twice": (400, POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    "almost chunked": (400, POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
    "chunked behind a vertical tab": (400, POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n"),
    "transfer-encoding with a space before the colon": (400, POST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n"),
    "chunked in HTTP/1.0": (400, b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    "a chunk size that is none": (400, CHUNKED + b"xyz\r\nabc\r\n0\r\n\r\n"),
    "a chunk size with 0x": (400, CHUNKED + b"0x3\r\nabc\r\n0\r\n\r\n"),
    "a chunk size with an underscore": (400, CHUNKED + b"1_0\r\nabc\r\n0\r\n\r\n"),
    "a negative chunk size": (400, CHUNKED + b"-3\r\nabc\r\n0\r\n\r\n"),
    "a chunk size with a space": (400, CHUNKED + b"3 \r\nabc\r\n0\r\n\r\n"),
    "a chunk size beyond 64 bits": (400, CHUNKED + b"10000000000000003\r\nabc\r\n0\r\n\r\n"),
    "no chunk size": (400, CHUNKED + b"\r\nabc\r\n0\r\n\r\n"),
    "a chunk size line without CR": (400, CHUNKED + b"3\nabc\r\n0\r\n\r\n"),
    "a chunk longer than it says": (400, CHUNKED + b"3\r\nabcd\r\n0\r\n\r\n"),
    "a chunk ended by LF": (400, CHUNKED + b"3\r\nabc\n0\r\n\r\n"),
    "LF in a chunk extension": (400, CHUNKED + b"3;a\nb\r\nabc\r\n0\r\n\r\n"),
    "CR in a chunk extension": (400, CHUNKED + b"3;a\rb\r\nabc\r\n0\r\n\r\n"),
    "a chunk extension without end": (400, CHUNKED + b"3;" + b"a" * 5000),
    "a broken trailer": (400, CHUNKED + b"0\r\nA : b\r\n\r\n"),
    "trailers without end": (400, CHUNKED + b"0\r\n" + b"A: b\r\n" * 100),
    "a chunk beyond the body limit": (413, CHUNKED + b"3e9\r\n"),
    "chunks beyond the body limit": (413, CHUNKED + (b"64\r\n" + b"a" * 100 + b"\r\n") * 11),
    "a length beyond the body limit": (413, POST + b"Content-Length: 1001\r\n\r\n"),
    "an obsolete fold": (400, get("/", "A: b", " c")),
    "a fold by tab": (400, get("/", "A: b", "\tc")),
    "a fold before the first header": (400, b"GET / HTTP/1.1\r\n Host: x\r\n\r\n"),
    "a space before the colon": (400, get("/", "A : b")),
    "a header without a name": (400, get("/", ": b")),
    "a header without a colon": (400, get("/", "abc")),
    "a header name with a slash": (400, get("/", "a/b: c")),
    "a bare CR in a value": (400, get("/", "A: b\rC: d")),
    "a bare LF in a value": (400, get("/", "A: b\nC: d")),
    "NUL in a value": (400, get("/", "A: b\0c")),
    "NUL in a name": (400, get("/", "A\0: b")),
    "a control character in a value": (400, get("/", "A: b\x01c")),
    "lines ended by LF": (400, b"GET / HTTP/1.1\nHost: x\n\n"),
    "a head ended by LF": (400, b"GET / HTTP/1.1\r\nHost: x\r\n\n"),
    "a head ended by CR": (400, b"GET / HTTP/1.1\r\nHost: x\r\n\rX"),
    "an unknown method": (400, b"BREW / HTTP/1.1\r\nHost: x\r\n\r\n"),
    "a method in lower case": (400, b"get / HTTP/1.1\r\nHost: x\r\n\r\n"),
    "a method that is not served": (400, b"TRACE / HTTP/1.1\r\nHost: x\r\n\r\n"),
    "CONNECT": (400, b"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n"),
    "a whole address as target": (400, b"GET http://x/ HTTP/1.1\r\nHost: x\r\n\r\n"),
    "host and port as target": (400, b"GET x:80 HTTP/1.1\r\nHost: x\r\n\r\n"),
    "a star as target of GET": (400, b"GET * HTTP/1.1\r\nHost: x\r\n\r\n"),
    "a target without a slash": (400, b"GET abc HTTP/1.1\r\nHost: x\r\n\r\n"),
    "a fragment": (400, get("/a#b")),
    "a control character in the target": (400, get("/\x01")),
    "eight bits in the target": (400, b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n"),
    "two spaces in the request line": (400, b"GET  / HTTP/1.1\r\nHost: x\r\n\r\n"),
    "a tab in the request line": (400, b"GET\t/ HTTP/1.1\r\nHost: x\r\n\r\n"),
    "a space after the version": (400, b"GET / HTTP/1.1 \r\nHost: x\r\n\r\n"),
    "a request line without version": (400, b"GET /\r\n\r\n"),
    "HTTP/0.9": (400, b"GET / HTTP/0.9\r\nHost: x\r\n\r\n"),
    "HTTP/1.2": (400, b"GET / HTTP/1.2\r\nHost: x\r\n\r\n"),
    "HTTP/2.0": (400, b"GET / HTTP/2.0\r\nHost: x\r\n\r\n"),
    "another protocol": (400, b"GET / RTSP/1.0\r\nHost: x\r\n\r\n"),
    "the HTTP/2 preface": (400, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    "TLS": (400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    "no host": (400, b"GET / HTTP/1.1\r\n\r\n"),
    "two hosts": (400, get("/", "Host: y")),
    "an empty host": (400, b"GET / HTTP/1.1\r\nHost: \r\n\r\n"),
    "a host with a path": (400, b"GET / HTTP/1.1\r\nHost: x/y\r\n\r\n"),
    "a host with a user": (400, b"GET / HTTP/1.1\r\nHost: a@x\r\n\r\n"),
    "two hosts in one line": (400, b"GET / HTTP/1.1\r\nHost: x, y\r\n\r\n"),
    "two keys": (400, get("/", "Authorization: Bearer a", "Authorization: Bearer b")),
    "two content types": (400, get("/", "Content-Type: a/b", "Content-Type: a/c")),
    "a long target": (414, get("/" + "a" * 100)),
    "a target without end": (414, b"GET /" + b"a" * 1000),
    "long headers": (431, get("/", "A: " + "b" * 400)),
    "headers without end": (431, b"GET / HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 100),
    "many headers": (431, get("/", *["A: b"] * 10)),
    "an unknown expectation": (417, get("/", "Expect: miracles")),
}


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("name", REFUSED)
def test_a_malformed_request_is_refused_and_nothing_after_it_is_read(
    name: str, loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    status, data = REFUSED[name]

    async def scenario() -> None:
        async with serving(limits=SMALL) as server:
            before, after = post("/before", b"x"), get("/poison")
            for parts in ([data + after], [before + data + after], [before, data, after]):
                heard = await exchange(server, *parts)
                assert statuses(heard) == [200] * (len(statuses(heard)) - 1) + [status], name
                assert paths(heard) in ([], ["/before"]), name
            assert b"connection: close" in heard

    run(scenario(), loop)


@pytest.mark.parametrize("name", REFUSED)
def test_a_refusal_does_not_hang_on_how_the_bytes_were_cut(name: str) -> None:
    status, data = REFUSED[name]
    for parts in [*((data[:place], data[place:]) for place in range(1, len(data))), [bytes([x]) for x in data]]:
        reader = RequestReader(SMALL, "")
        assert [refusal.status for _, refusal in read_all(reader, parts) if refusal] == [status], parts


def read_all(reader: RequestReader, parts: Sequence[bytes]) -> Iterator[tuple[Request | None, Refusal | None]]:
    """What a reader makes of bytes, as a connection feeds them."""
    for part in parts:
        place = 0
        while place < len(part) and reader.refusal is None:
            place = reader.feed(part, place)
            if reader.request or reader.refusal:
                yield reader.request, reader.refusal
            if reader.request:
                reader.next_request()


ACCEPTED = {
    "a plain request": get("/p"),
    "an absent body": b"POST /p HTTP/1.1\r\nHost: x\r\n\r\n",
    "empty lines before": b"\r\n\r\n" + get("/p"),
    "blanks around a value": get("/p", "A: \t b \t "),
    "an empty value": get("/p", "A:"),
    "eight bits in a value": b"GET /p HTTP/1.1\r\nHost: x\r\nA: \xff\r\n\r\n",
    "blanks around a length": b"POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: \t 3 \r\n\r\nabc",
    "HTTP/1.0 without host": b"GET /p HTTP/1.0\r\n\r\n",
    "an address in brackets": b"GET /p HTTP/1.1\r\nHost: [::1]:80\r\n\r\n",
    "an offer of HTTP/2": get("/p", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk"),
    "an offer of HTTP/2 with a body": post("/p", b"abc", "Connection: Upgrade", "Upgrade: h2c"),
    "an offer of a websocket": get("/p", "Connection: upgrade", "Upgrade: websocket"),
    "chunks": chunked("/p", b"ab", b"c" * 900),
    "a chunk extension": CHUNKED.replace(b"/ ", b"/p ") + b'3;a="b;c"\r\nabc\r\n0\r\n\r\n',
    "a trailer": chunked("/p", b"abc", trailer=b"Authorization: Bearer forged\r\n"),
    "a body as long as it may be": post("/p", b"a" * 1000),
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_a_fair_request_is_answered_and_so_is_the_next_on_the_connection(name: str) -> None:
    data = ACCEPTED[name]

    async def scenario() -> None:
        async with serving(limits=SMALL) as server:
            next_one = get("/next") if b"HTTP/1.0" not in data else b""
            expected = ["/p", "/next"] if next_one else ["/p"]
            assert paths(await exchange(server, data + next_one)) == expected
            assert paths(await exchange(server, *cut(data + next_one, range(1, 40)))) == expected

    run(scenario())


@pytest.mark.parametrize("name", ACCEPTED)
def test_an_answer_does_not_hang_on_how_the_bytes_were_cut(name: str) -> None:
    data = ACCEPTED[name] + get("/next")
    expected = list(read_all(RequestReader(SMALL, ""), [data]))
    assert [request.path for request, _ in expected if request][:1] == ["/p"]
    for parts in [*((data[:place], data[place:]) for place in range(1, len(data))), [bytes([x]) for x in data]]:
        assert list(read_all(RequestReader(SMALL, ""), parts)) == expected


def test_a_trailer_is_no_header() -> None:
    seen = []

    async def keep(request: Request, reply: Reply) -> None:
        seen.append((dict(request.headers), request.body))
        reply.whole(204, (), b"")

    async def scenario() -> None:
        async with serving(keep) as server:
            await exchange(server, chunked("/", b"abc", trailer=b"Authorization: Bearer forged\r\nHost: other\r\n"))

    run(scenario())
    assert seen == [({b"host": b"x", b"transfer-encoding": b"chunked"}, b"abc")]


def test_repeated_headers_are_joined() -> None:
    seen = []

    async def keep(request: Request, reply: Reply) -> None:
        seen.append(request.headers)
        reply.whole(204, (), b"")

    async def scenario() -> None:
        async with serving(keep) as server:
            await exchange(server, get("/", "Accept: a", "ACCEPT: b", "Cookie: c=1", "Cookie: d=2"))

    run(scenario())
    assert seen[0][b"accept"] == b"a, b"
    assert seen[0][b"cookie"] == b"c=1; d=2"


def test_a_client_that_is_still_sending_hears_the_refusal() -> None:
    async def scenario() -> None:
        async with serving(limits=Limits(body_bytes=1000, sweep_s=0.02)) as server:
            for _ in range(5):
                heard = await exchange(server, post("/", b"a" * 2_000_000))
                assert statuses(heard) == [413]
            await asyncio.sleep(0)

    run(scenario())
