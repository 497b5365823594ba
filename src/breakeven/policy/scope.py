"""Whose money: the names that a request is counted under, and that a budget is for."""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

from breakeven.errors import InputError

ScopeKind = Literal["tenant", "team", "user", "key", "tag", "model"]
SCOPE_KINDS: tuple[ScopeKind, ...] = get_args(ScopeKind)


class Scope(NamedTuple):
    """One name within a tenant: a budget is for it, a request counts under it.

    A tag's name is ``KEY=VALUE``; a tenant's own scope has the tenant's name. Names are compared as written.
    """

    tenant: str
    kind: ScopeKind
    name: str

    @property
    def text(self) -> str:
        """As commands write it, without the tenant: ``user:alice``, ``tag:project=atlas``."""
        return f"{self.kind}:{self.name}"


def parse_scope(tenant: str, text: str) -> Scope:
    """The scope that ``KIND:NAME`` means in a tenant.

    Raises:
        InputError: an unknown kind, no name, or a tag without a value.
    """
    kind, _, name = text.partition(":")
    if kind not in SCOPE_KINDS or not name or (kind == "tag" and "=" not in name):
        raise InputError(
            f"{text!r} is no scope",
            cause=f"a scope is KIND:NAME, KIND one of {', '.join(SCOPE_KINDS)}; a tag is tag:KEY=VALUE",
            hint="user:alice, or tag:project=atlas",
        )
    return Scope(tenant, kind, name)
