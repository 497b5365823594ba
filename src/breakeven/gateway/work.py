"""The requests that handlers have, those that wait for a place, and the bytes of their bodies."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import Literal

from breakeven.gateway.http_reply import HttpReply
from breakeven.gateway.http_request import Handler
from breakeven.gateway.limits import Limits
from breakeven.gateway.refusal import BROKEN, ErrorBody

LOG = logging.getLogger("breakeven.gateway")
Place = Literal["in_work", "waiting", "none"]
JSON_HEADERS = ((b"content-type", b"application/json"),)


class Work:
    """Gives each request a task of its own, and never more than the limits allow.

    ``body_bytes`` is what the bodies being read or worked on take; connections add what they read.
    """

    def __init__(self, handler: Handler, limits: Limits, error_body: ErrorBody) -> None:
        self._handler = handler
        self._limits = limits
        self._error_body = error_body
        self._loop = asyncio.get_running_loop()
        self._tasks: dict[HttpReply, asyncio.Task[None]] = {}
        self._waiting: deque[HttpReply] = deque()
        self.body_bytes = 0

    @property
    def idle(self) -> bool:
        """Whether no request is in work or waiting."""
        return not self._tasks and not self._waiting

    def full_of_bodies(self) -> bool:
        """Whether no further body may be read."""
        return self.body_bytes > self._limits.bodies_bytes

    def begin(self, reply: HttpReply) -> Place:
        """Start a request, or let it wait, or say that there is no room for it."""
        if len(self._tasks) < self._limits.in_work:
            self._start(reply)
            return "in_work"
        if len(self._waiting) < self._limits.waiting:
            self._waiting.append(reply)
            return "waiting"
        self.body_bytes -= len(reply.request.body)
        return "none"

    def forget(self, reply: HttpReply) -> bool:
        """Take back a request that still waits. False: it is in work."""
        try:
            self._waiting.remove(reply)
        except ValueError:
            return False
        self.body_bytes -= len(reply.request.body)
        return True

    def cancel(self) -> None:
        """Cancel what is in work."""
        for task in self._tasks.values():
            task.cancel()

    def _start(self, reply: HttpReply) -> None:
        self._tasks[reply] = self._loop.create_task(self._run(reply))

    async def _run(self, reply: HttpReply) -> None:
        try:
            await self._handler(reply.request, reply)
        except Exception:
            LOG.exception("a handler failed on %s %s", reply.request.method, reply.request.path)
        finally:
            self._done(reply)

    def _done(self, reply: HttpReply) -> None:
        if not reply.finished:
            self._close(reply)
        self.body_bytes -= len(reply.request.body)
        self._tasks.pop(reply, None)
        while self._waiting and len(self._tasks) < self._limits.in_work:
            self._start(self._waiting.popleft())

    def _close(self, reply: HttpReply) -> None:
        """A handler has returned without an answer: see to it that the client is not left waiting."""
        if reply.begun:
            reply.abort()
        else:
            reply.keep_alive = False
            reply.whole(BROKEN.status, JSON_HEADERS, self._error_body(BROKEN.status, BROKEN.message, BROKEN.code))
