"""Which handler answers which path."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping

from breakeven.gateway.http_request import Handler, Request
from breakeven.gateway.refusal import ErrorBody, json_error
from breakeven.pipeline.reply import Reply


class Router:
    """A handler itself: exact paths first, then the longest prefix; 404 and 405 where nothing answers.

    ``HEAD`` goes where ``GET`` goes.
    """

    def __init__(self, error_body: ErrorBody = json_error) -> None:
        self._error_body = error_body
        self._exact: dict[str, dict[str, Handler]] = {}
        self._prefixes: dict[str, dict[str, Handler]] = {}

    def add(self, method: str, path: str, handler: Handler) -> None:
        """Answer one path; one that ends in ``*`` stands for all that begin so."""
        table, key = (self._prefixes, path[:-1]) if path.endswith("*") else (self._exact, path)
        methods = table.setdefault(key, {})
        if method in methods:
            raise ValueError(f"{method} {path} has a handler")
        methods[method] = handler
        if method == "GET":
            methods.setdefault("HEAD", handler)

    def __call__(self, request: Request, reply: Reply) -> Awaitable[None]:
        """Hand a request to its handler."""
        methods = self._exact.get(request.path) or self._below(request.path)
        handler = methods.get(request.method) if methods else None
        return handler(request, reply) if handler else self._unanswered(request, reply, methods)

    def _below(self, path: str) -> Mapping[str, Handler] | None:
        found = max((prefix for prefix in self._prefixes if path.startswith(prefix)), key=len, default=None)
        return None if found is None else self._prefixes[found]

    async def _unanswered(self, request: Request, reply: Reply, methods: Mapping[str, Handler] | None) -> None:
        headers = [(b"content-type", b"application/json")]
        if methods is None:
            body = self._error_body(404, f"there is nothing at {request.path}", "not_found")
            reply.whole(404, headers, body)
        else:
            allowed = ", ".join(sorted(methods))
            headers.append((b"allow", allowed.encode()))
            body = self._error_body(405, f"{request.path} answers {allowed}", "method_not_allowed")
            reply.whole(405, headers, body)
