"""What one client, and all of them together, may take of the server."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Sizes, counts and times from which on the server refuses. The status in brackets is what the client gets.

    Attributes:
        target_bytes: The request target: path and query (414).
        header_bytes: Request line and headers together (431). Trailers of a chunked body have as much again.
        header_count: Header lines (431).
        body_bytes: One request's body (413); before it is read where its length is announced.
        bodies_bytes: The bodies of all requests that are being read or in work (503).
        held_bytes: Pipelined bytes kept for after the present answer; from there on the client is not read.
        connections: Open connections (503 and closed).
        in_work: Requests that a handler has at once.
        waiting: Requests that wait for a place in work (503 beyond).
        waiting_s: The longest wait for a place in work (503).
        header_s: From a request's first byte to the end of its head (408).
        body_grace_s: Added to what a body may take at ``body_bytes_per_s`` (408).
        body_bytes_per_s: The slowest that a body may come.
        idle_s: A connection without a request is closed.
        stalled_s: A client that reads nothing of its answer is dropped.
        linger_s: After a connection's last answer, what the client still sends is read and thrown away for so long:
            closing at once would reset the connection, and the client might never see the answer.
        sweep_s: How often it is looked at who has gone over a time.
        write_buffer_bytes: Unsent bytes of an answer from which on ``on_full`` is called.
    """

    target_bytes: int = 8_192
    header_bytes: int = 16_384
    header_count: int = 100
    body_bytes: int = 32 * 1024 * 1024
    bodies_bytes: int = 512 * 1024 * 1024
    held_bytes: int = 65_536
    connections: int = 4_096
    in_work: int = 1_024
    waiting: int = 1_024
    waiting_s: float = 30.0
    header_s: float = 10.0
    body_grace_s: float = 10.0
    body_bytes_per_s: int = 16_384
    idle_s: float = 75.0
    stalled_s: float = 60.0
    linger_s: float = 2.0
    sweep_s: float = 0.5
    write_buffer_bytes: int = 65_536
