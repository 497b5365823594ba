"""No bytes, however cut, make the server stumble: no 5xx, no traceback, no connection that hangs."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from breakeven.gateway.http_request import Request
from breakeven.gateway.limits import Limits
from breakeven.gateway.request_reader import RequestReader
from breakeven.pipeline.reply import Reply
from gateway.raw import JSON, chunked, cut, exchange, get, post, responses, run, serving

LIMITS = Limits(target_bytes=200, header_bytes=600, header_count=12, body_bytes=2000, sweep_s=0.02)

VALID = st.sampled_from(
    [
        get("/a"),
        get("/a?b=c", "Accept: */*", "Authorization: Bearer sk-1"),
        post("/b", b'{"model": "m"}', "Content-Type: application/json"),
        post("/b", b"a" * 500, "Expect: 100-continue"),
        chunked("/c", b"abc", b"d" * 40, trailer=b"X: y\r\n"),
        get("/d", "Connection: close"),
        b"GET /e HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
        get("/f", "Connection: Upgrade", "Upgrade: h2c"),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ]
)
EVIL = st.sampled_from(
    [
        *(
            b"\r\n",
            b"\r\n\r\n",
            b"\n",
            b"\r",
            b"\0",
            b" ",
            b"\t",
            b":",
            b";",
            b",",
            b"0",
            b"1",
            b"f",
            b"\xff",
            b"#",
            b"*",
        ),
        *(
            b"chunked",
            b"HTTP/1.1",
            b"HTTP/1.0",
            b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n",
            b"0\r\n\r\n",
            b"ffffffffffff\r\n",
        ),
        *(b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"Host: y\r\n", b"Expect: 100-continue\r\n"),
        *(b"Connection: keep-alive\r\n", b"Connection: close\r\n"),
    ]
)


@st.composite
def almost_requests(draw: st.DrawFn) -> bytes:
    """Some valid requests after each other, with bytes put in, taken out and written over."""
    data = b"".join(draw(st.lists(VALID, min_size=1, max_size=4)))
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(data)))
        stop = min(len(data), start + draw(st.sampled_from([0, 0, 1, 2, 7])))
        data = data[:start] + draw(EVIL | st.binary(max_size=3)) + data[stop:]
    return data


INPUT = st.one_of(almost_requests(), almost_requests(), st.binary(max_size=300))
PLACES = st.lists(st.integers(0, 5000), max_size=6)


async def tell(request: Request, reply: Reply) -> None:
    said = [request.method, request.path, request.query, len(request.body), request.keep_alive]
    if request.path == "/c":
        reply.begin(200, JSON)
        reply.end()
    else:
        reply.whole(200, JSON, json.dumps(said).encode())


def read_all(parts: list[bytes]) -> list[object]:
    """Everything that a reader finds: requests, and at last perhaps a refusal's status."""
    reader, found = RequestReader(LIMITS, ""), list[object]()
    for part in parts:
        place = 0
        while place < len(part):
            place = reader.feed(part, place)
            if reader.refusal is not None:
                return [*found, reader.refusal.status]
            if reader.request is not None:
                found.append(reader.request)
                reader.next_request()
    return found


@given(data=INPUT, places=PLACES)
@settings(max_examples=1500)
def test_what_is_read_does_not_hang_on_how_the_bytes_were_cut(data: bytes, places: list[int]) -> None:
    whole = read_all([data] if data else [])
    assert read_all(cut(data, places)) == whole
    assert read_all([bytes([byte]) for byte in data]) == whole
    assert all(request < 500 for request in whole if isinstance(request, int))


@given(data=INPUT, places=PLACES)
@settings(max_examples=150)
def test_any_bytes_get_fair_answers_and_an_end(data: bytes, places: list[int]) -> None:
    async def scenario() -> None:
        async with serving(tell, LIMITS) as server:
            heard = await exchange(server, *cut(data, places))
            plain = heard.replace(b"transfer-encoding: chunked\r\n\r\n0\r\n\r\n", b"\r\n")
            found = [status for status, _ in responses(plain)]
            assert all(status < 500 for status in found)
            assert all(status == 200 for status in found[:-1]), "a refusal is the last word"
            assert server.work.idle
            assert server.work.body_bytes == 0

    run(scenario())
