"""One endpoint of the admin API: its path, what it takes, what it gives; the published document is made of these."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple
from urllib.parse import unquote

import msgspec

from breakeven.gateway.http_request import Request
from breakeven.pipeline.refusal import Refusal
from breakeven.policy.virtual_key import VirtualKey

MOST_BODY_BYTES: Final = 65_536


class Asked(NamedTuple):
    """A request that has been checked. ``key`` is the virtual key that asks; None where the admin key does."""

    path: Mapping[str, str]
    query: Any
    body: Any
    key: VirtualKey | None


class Given(NamedTuple):
    """An answer: its status and what becomes its JSON."""

    status: int
    body: object


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One method of one path.

    ``schema`` names the published shape of the answer's body. ``refusals`` are the statuses beyond those that every
    endpoint has. ``for_keys``: virtual keys may ask, too.
    """

    method: str
    path: str
    summary: str
    handle: Callable[[Asked], Awaitable[Given]]
    schema: str
    status: int = 200
    body: type | None = None
    query: type | None = None
    refusals: tuple[int, ...] = ()
    for_keys: bool = False

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names in the path's braces, in order."""
        return tuple(part[1:-1] for part in self.path.split("/") if part.startswith("{"))

    def match(self, path: str) -> dict[str, str] | None:
        """The values of the path's parameters; None where this is another path."""
        own, given = self.path.split("/"), path.split("/")
        if len(own) != len(given):
            return None
        pairs = list(zip(own, given, strict=True))
        if any(part != value for part, value in pairs if not part.startswith("{")):
            return None
        return {part[1:-1]: unquote(value) for part, value in pairs if part.startswith("{")}

    def asked(self, request: Request, path: Mapping[str, str], key: VirtualKey | None) -> Asked:
        """The request with its query and body read.

        Raises:
            Refusal: 400, they are not what this endpoint takes; 413, the body is too large.
        """
        return Asked(path, self._query(request), self._body(request), key)

    def _query(self, request: Request) -> Any:
        try:
            given = request.parameters()
            if self.query is not None:
                return msgspec.convert(given, self.query, strict=False)
        except ValueError as error:
            raise Refusal(400, "invalid_query", str(error)) from error
        if given:
            raise Refusal(400, "invalid_query", f"{self.method} {self.path} takes no query")
        return None

    def _body(self, request: Request) -> Any:
        if len(request.body) > MOST_BODY_BYTES:
            raise Refusal(413, "body_too_large", f"a body has at most {MOST_BODY_BYTES:,} bytes here")
        if self.body is None:
            return None
        try:
            return msgspec.convert(_with_integers(msgspec.json.decode(request.body)), self.body)
        except (ValueError, RecursionError) as error:
            raise Refusal(400, "invalid_body", str(error)) from error


def _with_integers(value: Any) -> Any:
    """A JSON value whose whole numbers are integers: ``60.0`` and ``60`` are one number there."""
    if isinstance(value, float):
        return int(value) if value.is_integer() else value
    if isinstance(value, dict):
        return {name: _with_integers(each) for name, each in value.items()}
    return [_with_integers(each) for each in value] if isinstance(value, list) else value


def found(endpoints: Sequence[Endpoint], request: Request) -> tuple[Endpoint, dict[str, str]]:
    """The endpoint of a request, and its path's values. ``HEAD`` goes where ``GET`` goes.

    Raises:
        Refusal: 404, no such path; 405, it has no such method.
    """
    matches = [(each, values) for each in endpoints if (values := each.match(request.path)) is not None]
    if not matches:
        raise Refusal(404, "not_found", "there is no such page of the admin API; GET /admin/openapi.json lists them")
    method = "GET" if request.method == "HEAD" else request.method
    for each, values in matches:
        if each.method == method:
            return each, values
    raise MethodNotAllowed(sorted(each.method for each, _ in matches))


class MethodNotAllowed(Refusal):
    """405, with the methods that there are."""

    def __init__(self, methods: Sequence[str]) -> None:
        self.methods = tuple(methods)
        super().__init__(405, "method_not_allowed", f"this page answers {', '.join(methods)}")
