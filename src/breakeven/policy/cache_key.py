"""The name under which an answer is remembered: a digest of all that could make it another answer.

Whatever the provider gets is in the key, unless it is one of the `neutral_fields`, with the reason why it makes no
other answer. So a field that nobody here has heard of makes another key, never a wrong answer. What stands before the
fields is the server's own knowledge and cannot be written in a body: who asks, how often their answers were flushed, by
which endpoint, and what serves the model now.

Two bodies share a key if they say the same to every reader of JSON: the order of names and the space between values do
not matter, at any depth, and neither does how a letter or a number is written (``1e2`` is ``100.0``). A whole number
and a fraction (``1`` and ``1.0``) have different keys, since some readers tell them apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from hashlib import sha256
from typing import Any, Final, NamedTuple, get_args

import msgspec
from msgspec import Raw

from breakeven.policy.decision import Operation

KEY_VERSION: Final = 1
"""Goes up whenever what is stored, or what a key covers, changes its meaning: then nothing stored before is found."""

KEY_BYTES: Final = 40
"""A tag of the tenant, by which a flush finds what to delete, and a SHA-256."""

TAG_BYTES: Final = 8

NEUTRAL_FIELDS: Final[Mapping[str, str]] = {
    "user": "names the end user to the provider, for its abuse monitoring",
    "safety_identifier": "the same, by its newer name",
    "metadata": "labels that the provider keeps beside the request",
    "prompt_cache_key": "says which requests share a prompt cache, which saves time and money, not words",
    "prompt_cache_retention": "says how long the prompt cache is kept",
    "prompt_cache_options": "says where the prompt cache may begin",
    "cache_control": "at the top level: Anthropic's own choice of what to write to its prompt cache",
}
"""Fields of a body's top level that make no other answer, each with the reason. All others are in the key."""

_SAID_BACK: Final[Mapping[Operation, frozenset[str]]] = {
    "responses": frozenset(NEUTRAL_FIELDS),
    "chat": frozenset(("metadata",)),
}
"""What an endpoint's answers repeat of their questions: one served to another question would tell whose it was."""

_NEUTRAL: Final[Mapping[Operation, Mapping[str, str]]] = {
    operation: {name: why for name, why in NEUTRAL_FIELDS.items() if name not in _SAID_BACK.get(operation, ())}
    for operation in get_args(Operation)
}

TELLING_HEADERS: Final = (b"anthropic-beta", b"anthropic-version", b"openai-beta")
"""Headers of a client that reach the provider and may change its answer."""

_SORTED: Final = msgspec.json.Encoder(order="sorted")
_VALUE: Final = msgspec.json.Decoder()
_UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class KeyScope(NamedTuple):
    """What the gateway itself knows of a request, and no body can state.

    ``epoch`` is how often the tenant's answers were flushed, ``route`` what serves the model: see `route_identity`.
    """

    tenant: str
    epoch: int
    operation: Operation
    route: bytes


class Served(NamedTuple):
    """One deployment that answers for a model: who is paid, by which upstream, and the model's name there."""

    provider: str
    upstream: str
    model: str


def route_identity(served: Iterable[Served]) -> bytes:
    """What serves a model, in any order and with any shares of the load; another snapshot or provider is another."""
    return _framed(*(_framed(*(part.encode() for part in each)) for each in sorted(set(served))))


def neutral_fields(operation: Operation) -> Mapping[str, str]:
    """The fields that are not in the keys of an endpoint, each with the reason."""
    return _NEUTRAL[operation]


def tenant_tag(tenant: str) -> bytes:
    """What the keys of a tenant begin with, `TAG_BYTES` long, so that a flush finds them.

    What keeps tenants' answers apart is the digest behind it, which has the whole name in it.
    """
    return sha256(tenant.encode()).digest()[:TAG_BYTES]


def cache_key(
    scope: KeyScope, fields: Mapping[str, Raw], headers: Mapping[bytes, bytes], version: int = KEY_VERSION
) -> bytes | None:
    """The key of a question, `KEY_BYTES` long; None where its JSON can be read in two ways, or not at all.

    ``fields`` is the top level of the body, of a name that occurs twice the value that is sent on. Within a value
    nothing may occur twice: readers differ in which one they take.
    """
    canonical = _canonical(fields, _NEUTRAL[scope.operation])
    if canonical is None:
        return None
    tag, begun = _begun(scope, tuple([headers.get(name, b"") for name in TELLING_HEADERS]), version)
    digest = begun.copy()
    digest.update(canonical)
    key: bytes = tag + digest.digest()
    return key


@lru_cache(maxsize=4096)
def _begun(scope: KeyScope, told: tuple[bytes, ...], version: int) -> tuple[bytes, Any]:
    """A tenant's tag, and a digest of what is the same for many of its requests."""
    epoch, operation = b"%d" % scope.epoch, scope.operation.encode()
    whole = (b"breakeven", b"%d" % version, scope.tenant.encode(), epoch, operation, scope.route, *told)
    return tenant_tag(scope.tenant), sha256(_framed(*whole))


def _framed(*parts: bytes) -> bytes:
    """Parts that no other parts make the same bytes with: each after its length."""
    return b"".join([b"%d:%b" % (len(part), part) for part in parts])


def _canonical(fields: Mapping[str, Raw], neutral: Mapping[str, str]) -> bytes | None:
    """All fields but the neutral ones as JSON in one order, without spaces; None where they are ambiguous.

    A colon stands in JSON once behind each name, or within a text. So as many colons come out as went in, unless a
    name that occurred twice was dropped, or a colon was written as an escape, which no writer does.
    """
    sent = {name: raw for name, raw in fields.items() if name not in neutral}
    whole = b"".join(sent.values())
    if whole.find(b"\\") >= 0 and (whole.rfind(b"\\u003a") >= 0 or whole.rfind(b"\\u003A") >= 0):
        return None
    try:
        canonical = _SORTED.encode({name: _VALUE.decode(raw) for name, raw in sent.items()})
    except _UNREADABLE:
        return None
    colons = whole.count(b":") + len(sent) + "".join(sent).count(":")
    return canonical if canonical.count(b":") == colons else None
